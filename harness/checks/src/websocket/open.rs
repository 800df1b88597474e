//! Where a server's WebSocket endpoint is, and how a check opens one.

use squall_broker::wire::{Packet, Qos};

use super::app::App;
use super::handshake::{Request, Response};
use super::probe::WebSocket;
use crate::bench::Bench;
use crate::finding::{Finding, Outcome};
use crate::packets;
use crate::server::Stream;

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
            Serves::Mqtt => self.open_mqtt(name, &self.topic(name)).await,
        }
    }

    /// The same, or nothing when there is no such application.
    ///
    /// # Errors
    /// As [`open_websocket`](Self::open_websocket).
    pub(crate) async fn open_app_if_any(&self, name: &str) -> Outcome<Option<App>> {
        match self.open_app(name).await {
            Err(Finding::Skip(_)) => Ok(None),
            app => app.map(Some),
        }
    }

    /// Opens a WebSocket to a broker, as a client that has subscribed to a topic
    /// and publishes there.
    ///
    /// # Errors
    /// As [`open_websocket`](Self::open_websocket), and [`Finding::Fail`] when
    /// the broker does not take the client or its subscription.
    pub(crate) async fn open_mqtt(&self, name: &str, topic: &str) -> Outcome<App> {
        let socket = self.open_websocket(name).await?;
        let mut app = App::new(socket, Some(topic.to_owned()));
        app.send(&self.first_message(name)?).await?;
        app.answer(&[0x20, 2, 0, 0]).await?;
        let subscribe = packets::subscribe(1, &[(topic, Qos::AtMostOnce)]);
        let subscribe = Packet::Subscribe(subscribe);
        app.send(&packets::encode(&subscribe, self.version()))
            .await?;
        app.answer(&[0x90, 3, 0, 1, 0]).await?;
        Ok(app)
    }

    /// What a client may begin with: CONNECT to a broker, and anything to others.
    ///
    /// # Errors
    /// As [`endpoint`](Self::endpoint).
    pub(crate) fn first_message(&self, name: &str) -> Outcome<Vec<u8>> {
        Ok(match self.endpoint()?.serves {
            Serves::Mqtt => packets::encode_connect(&self.connect_packet(name)),
            Serves::Echo | Serves::Other => b"data".to_vec(),
        })
    }
}
