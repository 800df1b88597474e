//! `squall trace`: one message's life, hop by hop, packet by packet.
//!
//! A trace is read line by line, and only what concerns the message is kept:
//! the events that name it, the packets of the exchanges that carry it, which
//! are followed by their packet identifier from connection to connection, and
//! how the connections of those concerned went meanwhile.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use squall::trace::exchange::{Exchanges, Way};
use squall::trace::jsonl::FORMAT;
use squall_devices::MessageId;
use squall_reports::figures::{clock, count, counted, duration};

use super::exit::{Exit, Failure};
use super::output::Output;

const EXAMPLES: &str = "\
Examples:
  squall run cell.toml --seed 7 --trace run.jsonl
  squall trace run.jsonl 3f2a.9";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A trace, as `squall run --trace` writes it.
    #[arg(value_name = "FILE.jsonl")]
    file: PathBuf,
    /// The message: DEVICE.SEQUENCE in hexadecimal, as in its payload.
    #[arg(value_name = "MESSAGE-ID")]
    id: String,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let id: MessageId = arguments.id.parse().map_err(|error| {
        Failure::usage(
            format!("{error}"),
            "violations in a report name the messages they are about",
        )
    })?;
    let mut story = Story::new(id);
    let cut_off = read(&arguments.file, |line| story.see(line))?;
    if cut_off {
        output.note("the last line is cut off: what it said is left out");
    }
    if story.message.is_none() {
        return Err(story.unknown(&arguments.file));
    }
    output.print(&story.text())?;
    Ok(Exit::Held)
}

/// The first line of a trace.
#[derive(Deserialize)]
struct Header {
    format: u32,
}

/// A line of a trace, as far as it matters here.
#[derive(Deserialize)]
struct Line<'a> {
    t_ns: u64,
    #[serde(borrow)]
    at: Cow<'a, str>,
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    device: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    session: Option<Cow<'a, str>>,
    connection: Option<u64>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    packet: Option<Cow<'a, str>>,
    packet_id: Option<u16>,
    #[serde(borrow, default)]
    client: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    topic: Option<Cow<'a, str>>,
    qos: Option<u8>,
    #[serde(default)]
    retain: bool,
    #[serde(default)]
    dup: bool,
    payload_bytes: Option<u32>,
    session_present: Option<bool>,
    #[serde(borrow, default)]
    reason: Option<Cow<'a, str>>,
}

/// Reads a trace. Returns whether its last line is cut off.
fn read(path: &Path, mut each: impl FnMut(&Line<'_>)) -> Result<bool, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::usage(
            format!("cannot read {}: {error}", path.display()),
            "give the path of a trace: `squall run SCENARIO --trace FILE.jsonl` writes one",
        )
    };
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut text = Vec::new();
    file.read_until(b'\n', &mut text).map_err(unreadable)?;
    let header: Header = serde_json::from_slice(&text).map_err(|_| {
        Failure::usage(
            format!("{} is no trace", path.display()),
            "`squall run SCENARIO --trace FILE.jsonl` writes one",
        )
    })?;
    if header.format != FORMAT {
        return Err(Failure::usage(
            format!(
                "{} is a trace of format {}, and this squall reads {FORMAT}",
                path.display(),
                header.format
            ),
            "read it with the version of squall that wrote it",
        ));
    }
    for number in 2u64.. {
        text.clear();
        if file.read_until(b'\n', &mut text).map_err(unreadable)? == 0 {
            break;
        }
        match serde_json::from_slice(&text) {
            Ok(line) => each(&line),
            Err(_) if !text.ends_with(b"\n") => return Ok(true),
            Err(error) => {
                return Err(Failure::usage(
                    format!("{}, line {number}: {error}", path.display()),
                    "the file has been changed since it was written",
                ));
            }
        }
    }
    Ok(false)
}

/// One event of the message's life.
struct Moment {
    at: u64,
    who: String,
    what: String,
}

/// A message's life, being read.
struct Story {
    id: MessageId,
    text: String,
    /// What was published, once it was.
    message: Option<String>,
    publisher: String,
    published: u64,
    acknowledged: Option<u64>,
    /// First deliveries, by device, and how many there were.
    delivered: BTreeMap<String, (u64, u32)>,
    moments: Vec<Moment>,
    /// The client of each connection of a server.
    clients: BTreeMap<(String, u64), String>,
    /// Those that carry the message, by client.
    exchanges: Exchanges<String, ()>,
    /// Of the device that the id names: its readings.
    siblings: Vec<MessageId>,
    readings: u64,
}

impl Story {
    fn new(id: MessageId) -> Self {
        Self {
            id,
            text: id.to_string(),
            message: None,
            publisher: String::new(),
            published: 0,
            acknowledged: None,
            delivered: BTreeMap::new(),
            moments: Vec::new(),
            clients: BTreeMap::new(),
            exchanges: Exchanges::default(),
            siblings: Vec::new(),
            readings: 0,
        }
    }

    fn see(&mut self, line: &Line<'_>) {
        if let Some(connection) = line.connection {
            self.see_server(line, connection);
        } else if let Some(device) = &line.device {
            self.see_device(line, device);
        } else if let Some(session) = &line.session
            && line.id.as_deref() == Some(&self.text)
        {
            let reason = line.reason.as_deref().unwrap_or_default();
            let what = format!("{} for {session}: {reason}", line.event);
            self.moment(line, &line.at, what);
        }
    }

    fn moment(&mut self, line: &Line<'_>, who: &str, what: String) {
        self.moments.push(Moment {
            at: line.t_ns,
            who: who.to_owned(),
            what,
        });
    }

    fn see_device(&mut self, line: &Line<'_>, device: &str) {
        if line.event == "published"
            && let Some(id) = line.id.as_deref()
        {
            self.readings += 1;
            if let Ok(id) = id.parse::<MessageId>()
                && id.device() == self.id.device()
            {
                self.siblings.push(id);
            }
        }
        if line.id.as_deref() == Some(&self.text) {
            self.about(line, device);
        } else if line.id.is_none() && self.concerns(device) {
            let reason = line.reason.as_deref();
            let what = match (&*line.event, reason) {
                ("connected", _) if line.session_present == Some(true) => {
                    "connected, session present".to_owned()
                }
                ("connected", _) => "connected, no session present".to_owned(),
                ("connection lost", Some(reason)) => format!("connection lost: {reason}"),
                (event @ ("disconnected" | "vanished" | "reset" | "forgot"), _) => event.to_owned(),
                _ => return,
            };
            self.moment(line, device, what);
        }
    }

    /// An event of a device that names the message.
    fn about(&mut self, line: &Line<'_>, device: &str) {
        let what = match &*line.event {
            "published" => {
                self.message = Some(words(line));
                self.publisher = device.to_owned();
                self.published = line.t_ns;
                "published".to_owned()
            }
            "sent" if line.dup => "sent again, DUP".to_owned(),
            "acknowledged" => {
                self.acknowledged = Some(line.t_ns);
                "acknowledged".to_owned()
            }
            "dropped" => format!("gave it up: {}", line.reason.as_deref().unwrap_or_default()),
            "delivered" => {
                let (_, copies) = self
                    .delivered
                    .entry(device.to_owned())
                    .or_insert((line.t_ns, 0));
                *copies += 1;
                format!("delivered at QoS {}{}", line.qos.unwrap_or(0), flags(line))
            }
            event => event.to_owned(),
        };
        self.moment(line, device, what);
    }

    /// Whether how a device's connections go matters now.
    fn concerns(&self, device: &str) -> bool {
        let on_its_way = self.message.is_some() && self.acknowledged.is_none();
        on_its_way && device == self.publisher || self.exchanges.has(&device.to_owned())
    }

    fn see_server(&mut self, line: &Line<'_>, connection: u64) {
        let place = (line.at.clone().into_owned(), connection);
        let way = match &*line.event {
            "received" => Way::In,
            "sent" => Way::Out,
            "opened" => {
                self.clients.remove(&place);
                return;
            }
            _ => return,
        };
        if let Some(client) = &line.client {
            self.clients.insert(place, client.clone().into_owned());
            return;
        }
        let Some(client) = self.clients.get(&place).cloned() else {
            return;
        };
        let Some(packet) = line.packet.as_deref() else {
            return;
        };
        let ours = (line.id.as_deref() == Some(&self.text)).then_some(());
        let exchanges = &mut self.exchanges;
        let concerned = exchanges.about(&client, way, packet, line.packet_id, ours);
        if concerned.is_some() {
            let number = line.packet_id;
            let number = number.map_or(String::new(), |number| format!(" {number}"));
            let arrow = match way {
                Way::In => "←",
                Way::Out => "→",
            };
            let what = format!("{arrow} {client}  {packet}{number}{}", flags(line));
            self.moment(line, &line.at, what);
        }
    }

    /// That there is no such message, and what there is.
    fn unknown(&self, path: &Path) -> Failure {
        let help = match (self.siblings.first(), self.siblings.last()) {
            (Some(first), Some(last)) => format!(
                "this device took {}, {first} to {last}",
                counted(self.siblings.len() as u64, "reading")
            ),
            _ if self.readings == 0 => "no reading was taken in this run".to_owned(),
            _ => format!(
                "no such device took one of the {} in it",
                counted(self.readings, "reading")
            ),
        };
        Failure::usage(
            format!("no reading {} in {}", self.text, path.display()),
            help,
        )
    }

    fn text(&self) -> String {
        let mut text = format!(
            "reading {} of {}: {}\n\n",
            self.text,
            self.publisher,
            self.message.as_deref().unwrap_or_default()
        );
        let who = self.moments.iter().map(|moment| moment.who.chars().count());
        let who_width = who.max().unwrap_or(0);
        for moment in &self.moments {
            let since = moment.at.saturating_sub(self.published);
            let line = format!(
                "{:>14}  {:>9}  {:<who_width$}  {}",
                to_the_millisecond(moment.at),
                format!("+{}", duration(since)),
                moment.who,
                moment.what
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push_str(&format!("\n{}\n", self.verdict()));
        text
    }

    /// What became of it, in one line.
    fn verdict(&self) -> String {
        let mut parts = vec![match self.acknowledged {
            Some(at) => format!(
                "acknowledged after {}",
                duration(at.saturating_sub(self.published))
            ),
            None => "not acknowledged".to_owned(),
        }];
        for (device, (at, copies)) in &self.delivered {
            let times = match copies {
                1 => String::new(),
                copies => format!(", {} times", count(u64::from(*copies))),
            };
            parts.push(format!(
                "delivered to {device} after {}{times}",
                duration(at.saturating_sub(self.published))
            ));
        }
        if self.delivered.is_empty() {
            parts.push("delivered to nobody".to_owned());
        }
        parts.join("; ")
    }
}

/// What was published, in words.
fn words(line: &Line<'_>) -> String {
    let retain = if line.retain { ", RETAIN" } else { "" };
    format!(
        "{} B on {}, QoS {}{retain}",
        line.payload_bytes.unwrap_or(0),
        line.topic.as_deref().unwrap_or_default(),
        line.qos.unwrap_or(0)
    )
}

fn flags(line: &Line<'_>) -> String {
    let mut flags = String::new();
    for (set, flag) in [(line.dup, ", DUP"), (line.retain, ", RETAIN")] {
        if set {
            flags.push_str(flag);
        }
    }
    flags
}

fn to_the_millisecond(at: u64) -> String {
    let text = clock(at);
    if text.contains('.') {
        text
    } else {
        text + ".000"
    }
}
