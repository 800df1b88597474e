//! Headless Chromium, driven over its DevTools protocol, for tests of pages.
//!
//! The protocol is spoken as it is, in a handful of commands over the WebSocket
//! client that is here anyway: crates that have all of it (chromiumoxide) generate
//! and compile some hundred thousand lines for them, and the drivers of npm
//! (puppeteer, Playwright) would move the tests to another language.
//!
//! The browser is `chromium` on the path (Debian's package), or what
//! `SQUALL_TEST_CHROMIUM` names. Where there is none, a test says that it was
//! skipped; with `SQUALL_TEST_CLIENTS=required` that is a failure. Screenshots go
//! to the directory that `SQUALL_TEST_SCREENSHOTS` names, for people to look at.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Longer than anything takes that a page is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a page is asked whether it is as far.
const ASKS_EVERY: Duration = Duration::from_millis(20);

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    socket: WebSocketStream<TcpStream>,
    commands: u64,
    /// The page's own session, once there is one.
    session: Option<String>,
    /// What the page wrote to its console as an error, and exceptions.
    errors: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    /// Starts one, if one is installed.
    pub(crate) async fn start() -> Option<Self> {
        let chromium = std::env::var("SQUALL_TEST_CHROMIUM");
        let chromium = chromium.unwrap_or_else(|_| "chromium".to_owned());
        let profile = tempfile::tempdir().expect("a directory");
        let started = Command::new(&chromium)
            .args([
                "--headless=new",
                "--remote-debugging-port=0",
                "--no-first-run",
            ])
            // Tests may run as root and in containers, where its sandbox cannot.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut process) = started else {
            let required =
                std::env::var_os("SQUALL_TEST_CLIENTS").is_some_and(|it| it == "required");
            assert!(!required, "{chromium} is not installed");
            crate::say(&format!("skipped: {chromium} is not installed"));
            return None;
        };
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let listens = |line: &String| line.starts_with("DevTools listening on ");
        let line = lines.by_ref().map_while(Result::ok).find(listens);
        let url = line
            .expect("it says where it listens")
            .replace("DevTools listening on ", "");
        // Read all the time, so that it never waits for us.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let address = url.split('/').nth(2).expect("a WebSocket URL");
        let stream = TcpStream::connect(address).await.expect("connected");
        let (socket, _) = client_async(url, stream).await.expect("upgraded");
        let mut browser = Self {
            process,
            socket,
            commands: 0,
            session: None,
            errors: Vec::new(),
            _profile: profile,
        };
        let target = browser
            .command("Target.createTarget", json!({ "url": "about:blank" }))
            .await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.command("Target.attachToTarget", attach).await;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.command(domain, json!({})).await;
        }
        Some(browser)
    }

    /// Sends a command and waits for what it returns.
    async fn command(&mut self, method: &str, parameters: Value) -> Value {
        self.commands += 1;
        let mut command = json!({ "id": self.commands, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let sent = self.socket.send(Message::text(command.to_string())).await;
        sent.expect("the browser is there");
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await;
            let message = message.unwrap_or_else(|_| panic!("no answer to {command}"));
            let message = message.expect("open").expect("the browser is there");
            let Message::Text(text) = message else {
                continue;
            };
            let message: Value = serde_json::from_str(&text).expect("JSON");
            if message["id"] == json!(self.commands) {
                assert!(
                    message["error"].is_null(),
                    "{command}: {}",
                    message["error"]
                );
                return message["result"].clone();
            }
            self.errors.extend(error(&message));
        }
    }

    /// Opens a page, and waits until it is loaded.
    pub(crate) async fn open(&mut self, url: &str) {
        let opened = self.command("Page.navigate", json!({ "url": url })).await;
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
        self.wait_for(&format!(
            "location.href === {} && document.readyState === 'complete'",
            json!(url)
        ))
        .await;
    }

    /// What an expression of JavaScript is, in the page.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression,
            "returnByValue": true,
            "awaitPromise": true,
        });
        let evaluated = self.command("Runtime.evaluate", parameters).await;
        let thrown = &evaluated["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        evaluated["result"]["value"].clone()
    }

    /// Waits until a condition holds in the page.
    pub(crate) async fn wait_for(&mut self, condition: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.evaluate(condition).await != json!(true) {
            if Instant::now() > deadline {
                let text = self.evaluate("document.body.innerText").await;
                panic!(
                    "{condition} does not hold, in:\n{}",
                    text.as_str().unwrap_or_default()
                );
            }
            sleep(ASKS_EVERY).await;
        }
    }

    /// Clicks at a point of an element: a share of its width, in its middle.
    pub(crate) async fn click(&mut self, selector: &str, share: f64) {
        let place = format!(
            "(() => {{ const element = document.querySelector({}); \
             element.scrollIntoView({{ block: 'center' }}); \
             const box = element.getBoundingClientRect(); \
             return [box.left + box.width * {share}, box.top + box.height / 2]; }})()",
            json!(selector)
        );
        let place = self.evaluate(&place).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1,
            });
            self.command("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Presses a key that has a name, such as `Tab`, for as many times.
    pub(crate) async fn press(&mut self, key: &str, times: u32) {
        // Chromium goes by the number of the key (Windows virtual-key codes).
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "End" => 35,
            "Home" => 36,
            "ArrowLeft" => 37,
            "ArrowRight" => 39,
            _ => panic!("{key} has no number here"),
        };
        for _ in 0..times {
            for kind in ["keyDown", "keyUp"] {
                let mut event = json!({
                    "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
                });
                if (key, kind) == ("Enter", "keyDown") {
                    event["text"] = json!("\r");
                }
                self.command("Input.dispatchKeyEvent", event).await;
            }
        }
    }

    /// Shows the page at this width, in CSS pixels, and in the dark theme or the
    /// light one.
    pub(crate) async fn show_at(&mut self, width: u32, dark: bool) {
        let size = json!({
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.command("Emulation.setDeviceMetricsOverride", size)
            .await;
        let theme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        let features = json!({ "media": "", "features": features });
        self.command("Emulation.setEmulatedMedia", features).await;
    }

    /// Shows the page as it is printed, asked for in the dark theme.
    #[allow(dead_code, reason = "not every test prints")]
    pub(crate) async fn show_printed(&mut self) {
        let features = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
        let media = json!({ "media": "print", "features": features });
        self.command("Emulation.setEmulatedMedia", media).await;
    }

    /// Keeps a picture of the whole page, where pictures are asked for.
    pub(crate) async fn screenshot(&mut self, name: &str) {
        let Some(directory) = std::env::var_os("SQUALL_TEST_SCREENSHOTS") else {
            return;
        };
        let whole = json!({ "captureBeyondViewport": true });
        let picture = self.command("Page.captureScreenshot", whole).await;
        let picture = picture["data"].as_str().expect("Base64");
        let engine = base64::engine::general_purpose::STANDARD;
        let picture = engine.decode(picture).expect("Base64");
        std::fs::create_dir_all(&directory).expect("created");
        let path = Path::new(&directory).join(name).with_extension("png");
        std::fs::write(path, picture).expect("written");
    }

    /// Errors on the page's console, and exceptions, since the last call.
    pub(crate) fn errors(&mut self) -> Vec<String> {
        std::mem::take(&mut self.errors)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What an event says of an error.
fn error(event: &Value) -> Option<String> {
    let parameters = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(parameters["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled" if parameters["type"] == "error" => {
            Some(parameters["args"].to_string())
        }
        "Log.entryAdded" if parameters["entry"]["level"] == "error" => {
            Some(parameters["entry"]["text"].to_string())
        }
        _ => None,
    }
}
