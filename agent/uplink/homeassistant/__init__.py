"""Home Assistant finds boxes and cameras by itself: MQTT discovery.

discovery  one device for the box and one for each camera, made from the configuration
entities   what these devices consist of
groups     which kinds of incident one binary sensor stands for
"""
