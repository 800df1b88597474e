//! CONNECT: a client asks for a connection (section 3.1).

use bytes::Bytes;

use super::error::{Violation, WireError};
use super::primitive::{Qos, Reader, Text, TopicName, write_data, write_header, write_short};

/// A client's request to be connected.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Connect {
    /// Start afresh and forget everything when the connection ends, or resume
    /// and keep the session (section 3.1.2.4).
    pub clean_session: bool,
    /// The longest silence between two packets, in seconds; 0 for no limit.
    pub keep_alive_s: u16,
    /// The key of the session; empty to have one assigned.
    pub client_id: Text,
    /// What to publish when the connection ends without a DISCONNECT.
    pub will: Option<Will>,
    /// Who connects.
    pub user_name: Option<Text>,
    /// The proof of it, at most 65,535 bytes.
    pub password: Option<Bytes>,
}

/// A message the server publishes on a client's behalf.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Will {
    /// Where it is published.
    pub topic: TopicName,
    /// What is published, at most 65,535 bytes.
    pub message: Bytes,
    /// At which quality of service.
    pub qos: Qos,
    /// Whether it becomes the topic's retained message.
    pub retain: bool,
}

const PROTOCOL_NAME: &[u8] = b"MQTT";
const PROTOCOL_LEVEL: u8 = 4;

const RESERVED: u8 = 0x01;
const CLEAN_SESSION: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_QOS_SHIFT: u8 = 3;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

const fn broken(rule: &'static str, what: &'static str) -> Violation {
    Violation::new(rule, what)
}

pub(crate) fn decode(body: &[u8]) -> Result<Connect, WireError> {
    let mut reader = Reader::new(body);
    // [MQTT311-3.1.2-1]
    let name = reader.data(broken("MQTT311-3.1.2-1", "the protocol name is cut short"))?;
    if name != PROTOCOL_NAME {
        return Err(broken("MQTT311-3.1.2-1", "the protocol name is not MQTT").into());
    }
    // The rest may be laid out differently in another version, so it is not
    // looked at. [MQTT311-3.1.2-2]
    let level = reader.byte(broken(
        "MQTT311 section 3.1.2.2",
        "the protocol level is missing",
    ))?;
    if level != PROTOCOL_LEVEL {
        return Err(WireError::UnsupportedProtocolLevel(level));
    }
    let flags = reader.byte(broken(
        "MQTT311 section 3.1.2.3",
        "the connect flags are missing",
    ))?;
    check_flags(flags)?;
    let keep_alive_s = reader.short(broken(
        "MQTT311 section 3.1.2.10",
        "the keep alive is missing",
    ))?;
    Ok(payload(&mut reader, flags, keep_alive_s)?)
}

/// What the flags must be by themselves.
fn check_flags(flags: u8) -> Result<(), Violation> {
    if flags & RESERVED != 0 {
        return Err(broken(
            "MQTT311-3.1.2-3",
            "the reserved connect flag is set",
        ));
    }
    let will_qos = (flags >> WILL_QOS_SHIFT) & 0x03;
    if flags & WILL == 0 {
        // [MQTT311-3.1.2-11] says both at once.
        if will_qos != 0 {
            return Err(broken("MQTT311-3.1.2-13", "a will QoS without a will"));
        }
        if flags & WILL_RETAIN != 0 {
            return Err(broken("MQTT311-3.1.2-15", "will retain without a will"));
        }
    }
    if will_qos == 3 {
        return Err(broken("MQTT311-3.1.2-14", "the will QoS is 3"));
    }
    if flags & PASSWORD != 0 && flags & USER_NAME == 0 {
        return Err(broken("MQTT311-3.1.2-22", "a password without a user name"));
    }
    Ok(())
}

/// The payload's fields, in the order of [MQTT311-3.1.3-1].
fn payload(reader: &mut Reader<'_>, flags: u8, keep_alive_s: u16) -> Result<Connect, Violation> {
    let client_id = reader.text(broken(
        "MQTT311-3.1.3-3",
        "the client identifier is missing",
    ))?;
    let will = if flags & WILL != 0 {
        Some(will(reader, flags)?)
    } else {
        None
    };
    let user_name = if flags & USER_NAME != 0 {
        Some(reader.text(broken("MQTT311-3.1.2-19", "the user name is missing"))?)
    } else {
        None
    };
    let password = if flags & PASSWORD != 0 {
        let password = reader.data(broken("MQTT311-3.1.2-21", "the password is missing"))?;
        Some(Bytes::copy_from_slice(password))
    } else {
        None
    };
    if !reader.is_empty() {
        return Err(trailing(flags));
    }
    Ok(Connect {
        clean_session: flags & CLEAN_SESSION != 0,
        keep_alive_s,
        client_id,
        will,
        user_name,
        password,
    })
}

fn will(reader: &mut Reader<'_>, flags: u8) -> Result<Will, Violation> {
    const MISSING: Violation = broken("MQTT311-3.1.2-9", "the will topic or message is missing");
    // [MQTT311-3.1.3-10] is what `text` checks.
    let topic = TopicName::from_text(reader.text(MISSING)?)?;
    let message = Bytes::copy_from_slice(reader.data(MISSING)?);
    let qos = Qos::from_level((flags >> WILL_QOS_SHIFT) & 0x03)
        .ok_or(broken("MQTT311-3.1.2-14", "the will QoS is 3"))?;
    Ok(Will {
        topic,
        message,
        qos,
        retain: flags & WILL_RETAIN != 0,
    })
}

/// Bytes after the last field the flags announce: which flag should have been
/// set for them.
fn trailing(flags: u8) -> Violation {
    if flags & USER_NAME == 0 {
        broken("MQTT311-3.1.2-18", "a field follows that no flag announces")
    } else if flags & PASSWORD == 0 {
        broken(
            "MQTT311-3.1.2-20",
            "a password follows that no flag announces",
        )
    } else {
        broken("MQTT311 section 3.1.3", "bytes follow the last field")
    }
}

pub(crate) fn encode(connect: &Connect, out: &mut Vec<u8>) {
    let mut flags = 0;
    let mut length = 10 + 2 + connect.client_id.as_bytes().len();
    if connect.clean_session {
        flags |= CLEAN_SESSION;
    }
    if let Some(will) = &connect.will {
        flags |= WILL | ((will.qos as u8) << WILL_QOS_SHIFT);
        if will.retain {
            flags |= WILL_RETAIN;
        }
        length += 4 + will.topic.as_bytes().len() + will.message.len();
    }
    if let Some(user_name) = &connect.user_name {
        flags |= USER_NAME;
        length += 2 + user_name.as_bytes().len();
    }
    if let Some(password) = &connect.password {
        flags |= PASSWORD;
        length += 2 + password.len();
    }
    write_header(out, 0x10, length);
    write_data(out, PROTOCOL_NAME);
    out.push(PROTOCOL_LEVEL);
    out.push(flags);
    write_short(out, connect.keep_alive_s);
    write_data(out, connect.client_id.as_bytes());
    if let Some(will) = &connect.will {
        write_data(out, will.topic.as_bytes());
        write_data(out, &will.message);
    }
    if let Some(user_name) = &connect.user_name {
        write_data(out, user_name.as_bytes());
    }
    if let Some(password) = &connect.password {
        write_data(out, password);
    }
}
