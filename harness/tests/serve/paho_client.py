"""A client of paho-mqtt: what `clients.rs` asks every client for.

    python3 paho_client.py tcp|websockets HOST PORT 3.1.1|5.0
"""

import sys
import threading

import paho.mqtt.client as mqtt

transport, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
done = threading.Event()
received = []


def on_connect(client, userdata, flags, reason, properties):
    if reason.is_failure:
        sys.exit(f"refused: {reason}")
    client.subscribe("client/#", qos=2)


def on_subscribe(client, userdata, mid, reasons, properties):
    for qos in (0, 1, 2):
        client.publish(f"client/{qos}", f"hello at {qos}", qos=qos)
    client.publish("client/large", "x" * 100_000, qos=1)


def on_message(client, userdata, message):
    received.append(f"{message.topic} {message.qos} {len(message.payload)}")
    if len(received) == 4:
        done.set()


client = mqtt.Client(
    mqtt.CallbackAPIVersion.VERSION2,
    client_id="client",
    transport=transport,
    protocol={"3.1.1": mqtt.MQTTv311, "5.0": mqtt.MQTTv5}[sys.argv[4]],
)
client.ws_set_options(path="/mqtt")
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.connect(host, port, keepalive=10)
client.loop_start()
if not done.wait(20):
    sys.exit(f"only {received}")
client.disconnect()
client.loop_stop()
print("\n".join(sorted(received)))
