// A client of MQTT.js: what `clients.rs` asks every client for.
//
//     node mqttjs_client.js mqtt://HOST:PORT|ws://HOST:PORT/mqtt 3.1.1|5.0

const mqtt = require('mqtt')

const received = []
const client = mqtt.connect(process.argv[2], {
  protocolVersion: { '3.1.1': 4, '5.0': 5 }[process.argv[3]],
  clientId: 'client',
  reconnectPeriod: 0
})

function fail (why) {
  console.error(why)
  process.exit(1)
}

setTimeout(() => fail('only ' + received), 20_000).unref()
client.on('error', fail)
client.on('connect', async () => {
  await client.subscribeAsync('client/#', { qos: 2 })
  for (const qos of [0, 1, 2]) {
    client.publish(`client/${qos}`, `hello at ${qos}`, { qos })
  }
  client.publish('client/large', 'x'.repeat(100_000), { qos: 1 })
})
client.on('message', (topic, payload, packet) => {
  received.push(`${topic} ${packet.qos} ${payload.length}`)
  if (received.length === 4) {
    client.end(() => console.log(received.sort().join('\n')))
  }
})
