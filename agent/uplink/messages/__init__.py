"""What is said to the broker: payloads and topics of the MQTT contract.

payload  an IncidentChange → message v1 (docs/mqtt.md, docs/schemas), ids, times, CloudEvents attributes
topics   the topics of the contract
jpeg     a picture as JPEG
"""
