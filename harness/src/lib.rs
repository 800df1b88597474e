//! Squall: weather for MQTT.
