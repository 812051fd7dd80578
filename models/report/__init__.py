"""models/REPORT.md: what the cards say, and what was looked at besides.

`cards` and `sections` write the Markdown (`markdown`: tables), `plots` the pictures; `hearing`, `vision`, `people`,
`closer`, `fight` and `curves` measure the evidence (`counting`: parameters and time), which lies as JSON in `evidence/`
beside them, each with its command and the sha256 of what it looked at.
"""
