//! The strict MQTT 3.1.1 reference broker.
