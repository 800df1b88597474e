//! Client libraries that know nothing of this network run over it.

use super::fixture::*;
use crate::net::{TcpListener, TcpStream};
use crate::scenario::Direction;
use futures_util::{SinkExt, StreamExt};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, PublishOptions, QoS};
use squall_reports::Layer;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

/// rumqttc and tungstenite take a stream only when it is both.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<TcpStream>();
    is_send_and_sync::<TcpListener>();
};

fn lossy(loss: f64) -> World {
    World::new(Direction { loss, ..fifty_ms() })
}

#[test]
fn a_websocket_speaks_through_loss() {
    let server = |end: End| async move {
        let mut listener = end.listen();
        let stream = listener.accept().await;
        let mut socket = tokio_tungstenite::accept_async(stream)
            .await
            .expect("a handshake");
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() {
                socket.send(message).await.expect("room");
            }
        }
        drop(socket);
        std::future::pending().await
    };
    let run = lossy(0.2).run(server, |end| async move {
        let stream = end.dial(0).await.expect("a connection");
        let handshake = tokio_tungstenite::client_async("ws://server/readings", stream);
        let (mut socket, _) = handshake.await.expect("a handshake");
        let readings: Vec<_> = (0..50)
            .map(|n| Message::text(format!("reading {n:>150}")))
            .collect();
        for reading in &readings {
            socket.send(reading.clone()).await.expect("room");
        }
        let mut back = Vec::new();
        while back.len() < readings.len() {
            back.push(socket.next().await.expect("an echo").expect("a message"));
        }
        assert_eq!(back, readings);
        socket.close(None).await.expect("a goodbye");
        while socket.next().await.is_some() {}
    });
    assert!(run.counts.iter().any(|way| way.lost_total() > 0));
}

#[test]
fn an_mqtt_client_and_the_broker_speak_through_loss() {
    let server = |end: End| async move {
        let server = squall_broker::Server::new(squall_broker::Config::default(), None);
        let mut listener = end.listen();
        let mut connections = JoinSet::new();
        tokio::select! {
            () = server.run_timers() => {}
            () = async {
                loop {
                    connections.spawn(server.serve(listener.accept().await));
                }
            } => {}
        }
    };
    let run = lossy(0.1).run(server, |end| async move {
        let mut options = MqttOptions::new("sensor", "server");
        options.set_socket_connector(move |_, _| {
            let end = end.clone();
            async move { end.dial(0).await }
        });
        let (client, mut events) = AsyncClient::builder(options).capacity(10).build();
        client
            .subscribe("readings", QoS::AtLeastOnce)
            .await
            .expect("a queue");
        // The client may send a PUBLISH before a SUBSCRIBE that was asked first.
        while !matches!(
            events.poll().await.expect("no error"),
            Event::Incoming(Packet::SubAck(_))
        ) {}
        let publish = async {
            for reading in 0..30u8 {
                let payload = vec![reading; 20];
                let options = PublishOptions::new(QoS::AtLeastOnce);
                let sent = client.publish("readings", payload, options);
                sent.await.expect("a queue");
            }
        };
        let receive = async {
            let (mut received, mut acknowledged) = (Vec::new(), 0);
            while received.len() < 30 || acknowledged < 30 {
                match events.poll().await.expect("no error") {
                    Event::Incoming(Packet::Publish(publish)) => received.push(publish.payload[0]),
                    Event::Incoming(Packet::PubAck(_)) => acknowledged += 1,
                    _ => {}
                }
            }
            received
        };
        let ((), received) = tokio::join!(publish, receive);
        assert_eq!(received, (0..30).collect::<Vec<_>>());
        tokio::time::sleep(Duration::from_secs(1)).await;
    });
    assert!(run.counts.iter().any(|way| way.lost_total() > 0));
    assert_eq!(run.bytes.both(Layer::Other), 0, "all of it is MQTT");
    let payload = run.bytes.up[Layer::Payload];
    assert!(
        (400..=600).contains(&payload),
        "{payload} bytes of 30 readings"
    );
}
