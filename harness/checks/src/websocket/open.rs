//! Where a server's WebSocket endpoint is, and how a check opens one.

use std::io;

use squall_broker::wire::{Packet, Qos};
use tokio::time::timeout;

use super::app::App;
use super::handshake::{Request, Response};
use super::probe::WebSocket;
use crate::bench::Bench;
use crate::finding::{Finding, Outcome};
use crate::packets;
use crate::server::{BoxFuture, Stream};

/// A WebSocket endpoint, as its URL names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebSocketEndpoint {
    /// Host and port, for `Host`.
    pub authority: String,
    /// Path and query, from its `/` on.
    pub path: String,
    /// What is behind it.
    pub serves: Serves,
    /// A path at which nothing is served.
    pub unserved_path: Option<String>,
    /// The origin of a page that may not connect.
    pub foreign_origin: Option<String>,
}

/// What is behind a WebSocket endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Serves {
    /// MQTT.
    Mqtt,
    /// A server that sends every message back as it was.
    Echo,
    /// Something else.
    Other,
}

impl WebSocketEndpoint {
    /// An endpoint of which no more is known.
    #[must_use]
    pub fn new(authority: impl Into<String>, path: impl Into<String>, serves: Serves) -> Self {
        Self {
            authority: authority.into(),
            path: path.into(),
            serves,
            unserved_path: None,
            foreign_origin: None,
        }
    }

    /// A request for an upgrade, with nothing wrong.
    #[must_use]
    pub fn request(&self) -> Request {
        let request = Request::new(&self.authority, &self.path);
        match self.serves {
            // [MQTT-6.0.0-3]
            Serves::Mqtt => request.with("Sec-WebSocket-Protocol", "mqtt"),
            Serves::Echo | Serves::Other => request,
        }
    }
}

impl Bench {
    /// The server's WebSocket endpoint.
    ///
    /// # Errors
    /// [`Finding::Skip`] if it has none.
    pub fn endpoint(&self) -> Outcome<&WebSocketEndpoint> {
        let endpoint = self.server().websocket();
        endpoint.ok_or_else(|| Finding::skip("a WebSocket endpoint"))
    }

    /// Opens a stream to the WebSocket endpoint, on which nothing is said yet.
    ///
    /// # Errors
    /// [`Finding::Skip`] if there is none, [`Finding::Error`] when it cannot be
    /// reached within the time for an answer.
    pub async fn dial_websocket(&self, name: &str) -> Outcome<WebSocket> {
        self.endpoint()?;
        let stream = self.dialled(self.server().dial_websocket()).await?;
        Ok(self.over(stream, name))
    }

    /// Opens a stream to the secure WebSocket endpoint, without TLS.
    ///
    /// # Errors
    /// As [`dial_websocket`](Self::dial_websocket).
    pub async fn dial_below_tls(&self, name: &str) -> Outcome<WebSocket> {
        match self.dialled(self.server().dial_below_tls()).await? {
            Some(stream) => Ok(self.over(stream, name)),
            None => Err(Finding::skip("a secure WebSocket endpoint")),
        }
    }

    async fn dialled<T>(&self, dialling: BoxFuture<'_, io::Result<T>>) -> Outcome<T> {
        match timeout(self.timeout(), dialling).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(Finding::Error(format!("cannot connect: {error}"))),
            Err(_) => {
                let waited = self.timeout().as_secs_f64();
                let what = format!("the server accepted no connection within {waited} s");
                Err(Finding::Error(what))
            }
        }
    }

    fn over(&self, stream: Box<dyn Stream>, name: &str) -> WebSocket {
        WebSocket::new(self.clone(), stream, name, self.next_connection())
    }

    /// Asks for an upgrade; what is answered, if anything is.
    ///
    /// # Errors
    /// As [`dial_websocket`](Self::dial_websocket) and
    /// [`WebSocket::request`].
    pub async fn ask(
        &self,
        name: &str,
        request: &Request,
    ) -> Outcome<(WebSocket, Option<Response>)> {
        let mut socket = self.dial_websocket(name).await?;
        let response = socket.request(request).await?;
        Ok((socket, response))
    }

    /// Opens a WebSocket. Whether the answer was right in every point is for
    /// other checks to say.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), and [`Finding::Error`] when it is not opened.
    pub async fn open_websocket(&self, name: &str) -> Outcome<WebSocket> {
        let request = self.endpoint()?.request();
        let (socket, response) = self.ask(name, &request).await?;
        match response {
            Some(response) if response.opens() => Ok(socket),
            Some(response) => Err(Finding::Error(format!(
                "the server opened no WebSocket: {}",
                response.status_line
            ))),
            None => {
                let what = "the server ended the connection instead of opening a WebSocket";
                Err(Finding::Error(what.to_owned()))
            }
        }
    }

    /// Opens a WebSocket with an application behind it that sends back what it
    /// is sent: MQTT does, to a client that has subscribed to its own messages.
    ///
    /// # Errors
    /// As [`open_websocket`](Self::open_websocket), and [`Finding::Skip`] when
    /// there is no such application.
    pub(crate) async fn open_app(&self, name: &str) -> Outcome<App> {
        match self.endpoint()?.serves {
            Serves::Other => Err(Finding::skip("MQTT or an echo behind the WebSocket")),
            Serves::Echo => Ok(App::new(self.open_websocket(name).await?, None)),
            Serves::Mqtt => {
                let topic = self.topic(name);
                let mut app = App::new(self.open_websocket(name).await?, Some(topic.clone()));
                let version = self.version();
                let connect = packets::encode_connect(&self.connect_packet(name));
                app.send(&connect).await?;
                app.answer(&[0x20, 2, 0, 0]).await?;
                let subscribe = packets::subscribe(1, &[(&topic, Qos::AtMostOnce)]);
                let subscribe = Packet::Subscribe(subscribe);
                app.send(&packets::encode(&subscribe, version)).await?;
                app.answer(&[0x90, 3, 0, 1, 0]).await?;
                Ok(app)
            }
        }
    }
}
