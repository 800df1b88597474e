//! A capture of the run as a pcapng file, with virtual timestamps, that
//! Wireshark and tshark open.
//!
//! Each packet stands in it once, as the end that sent it sent it, on an
//! interface named after its host; a packet that the network dropped carries
//! the cause in its comment. The file is in the order of time, although hosts
//! run one after another and the fate of a packet is known later than its
//! sending: packets wait here until both are settled.
//!
//! Secrets of TLS sessions stand in it before the packets they open, so that what
//! reads the file sees inside them.

use super::tap::PacketKey;
use super::time::Nanos;
use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::unknown::UnknownBlock;
use pcap_file::pcapng::{Block, PcapNgBlock, PcapNgWriteError, PcapNgWriter};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

/// Resolution of timestamps: 10^-9 s.
const NANOSECONDS: u8 = 9;

/// A Decryption Secrets Block, and in it a key log of TLS
/// (draft-ietf-opsawg-pcapng, section 4.7).
const DECRYPTION_SECRETS: u32 = 0x0A;
const TLS_KEY_LOG: u32 = 0x544C_534B;

/// A pcapng file in the making.
pub(crate) struct Capture {
    writer: PcapNgWriter<Box<dyn Write + Send>>,
    pending: BTreeMap<PacketKey, Pending>,
    /// The first error, after which nothing more is written.
    error: Option<io::Error>,
}

struct Pending {
    bytes: Vec<u8>,
    settled: bool,
    comment: Option<String>,
}

impl Capture {
    /// Begins a capture with one interface per host, in the order of their
    /// index.
    ///
    /// # Errors
    /// What `file` answers to the first write.
    pub(crate) fn new(file: Box<dyn Write + Send>, hosts: &[String]) -> io::Result<Capture> {
        let mut writer = PcapNgWriter::new(file).map_err(io_error)?;
        for host in hosts {
            let mut interface = InterfaceDescriptionBlock::new(DataLink::RAW, 0);
            interface.options = vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed(host)),
                InterfaceDescriptionOption::IfTsResol(
                    InterfaceTsResolution::new(false, NANOSECONDS)
                        .map_err(|error| io::Error::other(error.to_string()))?,
                ),
            ];
            writer
                .write_block(&interface.into_block())
                .map_err(io_error)?;
        }
        Ok(Capture {
            writer,
            pending: BTreeMap::new(),
            error: None,
        })
    }

    pub(crate) fn sent(&mut self, key: PacketKey, packet: &[u8]) {
        let pending = Pending {
            bytes: packet.to_vec(),
            settled: false,
            comment: None,
        };
        self.pending.insert(key, pending);
    }

    /// A line of a key log, in NSS's format.
    pub(crate) fn secret(&mut self, line: &str) {
        // In the order of bytes that the file has, which is this machine's.
        let header = [TLS_KEY_LOG, line.len() as u32].map(u32::to_ne_bytes);
        let mut value = [header.as_flattened(), line.as_bytes()].concat();
        value.resize(value.len().next_multiple_of(4), 0);
        let block = UnknownBlock::new(DECRYPTION_SECRETS, value.len() as u32, &value);
        self.write_block(&block.into_block());
    }

    /// Something is to be said of a packet whose fate is still open.
    pub(crate) fn remark(&mut self, key: PacketKey, comment: Option<String>) {
        if let Some(packet) = self.pending.get_mut(&key) {
            packet.comment = comment;
        }
    }

    /// A packet has come through, whatever was said of it.
    pub(crate) fn arrived(&mut self, key: PacketKey) {
        if let Some(packet) = self.pending.get_mut(&key) {
            packet.settled = true;
        }
    }

    /// The fate of a packet is known.
    pub(crate) fn settle(&mut self, key: PacketKey, comment: Option<String>) {
        if let Some(packet) = self.pending.get_mut(&key) {
            packet.settled = true;
            packet.comment = comment;
        }
    }

    /// Writes packets sent before `now`, up to the first that is not settled.
    pub(crate) fn write_until(&mut self, now: Nanos) {
        while let Some(entry) = self.pending.first_entry()
            && entry.key().at < now
            && entry.get().settled
        {
            let (key, packet) = entry.remove_entry();
            self.write(key, packet);
        }
    }

    fn write(&mut self, key: PacketKey, packet: Pending) {
        let comment = packet
            .comment
            .map(|text| EnhancedPacketOption::Common(CommonOption::Comment(Cow::Owned(text))));
        let block = EnhancedPacketBlock {
            interface_id: u32::from(key.host),
            timestamp: Duration::from_nanos(key.at),
            original_len: packet.bytes.len() as u32,
            data: Cow::Owned(packet.bytes),
            options: comment.into_iter().collect(),
        };
        self.write_block(&block.into_block());
    }

    fn write_block(&mut self, block: &Block<'_>) {
        if self.error.is_none()
            && let Err(error) = self.writer.write_block(block)
        {
            self.error = Some(io_error(error));
        }
    }

    /// Writes the rest (what is still under way, too) and flushes the file.
    ///
    /// # Errors
    /// The first error of any write.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        for (key, packet) in std::mem::take(&mut self.pending) {
            self.write(key, packet);
        }
        match self.error {
            Some(error) => Err(error),
            None => self.writer.into_inner().flush(),
        }
    }
}

fn io_error(error: PcapNgWriteError) -> io::Error {
    io::Error::other(error.to_string())
}
