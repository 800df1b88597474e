//! Reason codes: what became of a request, or why a connection ends (section
//! 2.4 of MQTT 5.0). Which packet may carry which code is said with the packet.

/// A reason code. Below 0x80 it went well. Of MQTT 3.1.1, the return codes of
/// CONNACK and SUBACK are said with the codes of 5.0 that mean the same.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum ReasonCode {
    /// 0x00: Success, Normal disconnection, or Granted QoS 0.
    #[default]
    Success = 0x00,
    /// 0x01: subscribed, at most at QoS 1.
    GrantedQos1 = 0x01,
    /// 0x02: subscribed, at most at QoS 2.
    GrantedQos2 = 0x02,
    /// 0x04: the client leaves, and its will is to be published.
    DisconnectWithWill = 0x04,
    /// 0x10: accepted, and nobody subscribes to it.
    NoMatchingSubscribers = 0x10,
    /// 0x11: there was nothing to unsubscribe from.
    NoSubscriptionExisted = 0x11,
    /// 0x18: the authentication goes on with another step.
    ContinueAuthentication = 0x18,
    /// 0x19: the client starts over with its authentication.
    ReAuthenticate = 0x19,
    /// 0x80: the reason is not revealed, or no other code applies.
    UnspecifiedError = 0x80,
    /// 0x81: the packet could not be parsed as this specification has it.
    MalformedPacket = 0x81,
    /// 0x82: the packet is not allowed, or not then, or contradicts itself.
    ProtocolError = 0x82,
    /// 0x83: valid, and not accepted by this implementation.
    ImplementationSpecificError = 0x83,
    /// 0x84: the version of the protocol is not supported.
    UnsupportedProtocolVersion = 0x84,
    /// 0x85: the client identifier is not allowed.
    ClientIdentifierNotValid = 0x85,
    /// 0x86: the user name or password is wrong.
    BadUserNameOrPassword = 0x86,
    /// 0x87: the client is not authorised to do this.
    NotAuthorized = 0x87,
    /// 0x88: the service is unavailable.
    ServerUnavailable = 0x88,
    /// 0x89: try again later.
    ServerBusy = 0x89,
    /// 0x8a: the client has been banned.
    Banned = 0x8a,
    /// 0x8b: the server is shutting down.
    ServerShuttingDown = 0x8b,
    /// 0x8c: the authentication method is not supported, or not the one in use.
    BadAuthenticationMethod = 0x8c,
    /// 0x8d: nothing came for one and a half times the keep-alive time.
    KeepAliveTimeout = 0x8d,
    /// 0x8e: another connection uses the client identifier.
    SessionTakenOver = 0x8e,
    /// 0x8f: the topic filter is well-formed, and not accepted.
    TopicFilterInvalid = 0x8f,
    /// 0x90: the topic name is well-formed, and not accepted.
    TopicNameInvalid = 0x90,
    /// 0x91: the packet identifier is in use.
    PacketIdentifierInUse = 0x91,
    /// 0x92: the packet identifier is not known.
    PacketIdentifierNotFound = 0x92,
    /// 0x93: more messages are under way than the receiver said it takes.
    ReceiveMaximumExceeded = 0x93,
    /// 0x94: the topic alias is above the receiver's maximum, or is unknown.
    TopicAliasInvalid = 0x94,
    /// 0x95: the packet is larger than the receiver takes.
    PacketTooLarge = 0x95,
    /// 0x96: messages come too fast.
    MessageRateTooHigh = 0x96,
    /// 0x97: a limit of the implementation or the administrator is exceeded.
    QuotaExceeded = 0x97,
    /// 0x98: an administrator ended the connection.
    AdministrativeAction = 0x98,
    /// 0x99: the payload is not what its payload format indicator says.
    PayloadFormatInvalid = 0x99,
    /// 0x9a: the server does not retain messages.
    RetainNotSupported = 0x9a,
    /// 0x9b: the quality of service is higher than the server supports.
    QosNotSupported = 0x9b,
    /// 0x9c: go to another server for now.
    UseAnotherServer = 0x9c,
    /// 0x9d: go to another server for good.
    ServerMoved = 0x9d,
    /// 0x9e: the server has no shared subscriptions.
    SharedSubscriptionsNotSupported = 0x9e,
    /// 0x9f: connections are made too fast.
    ConnectionRateExceeded = 0x9f,
    /// 0xa0: the connection has lasted as long as it may.
    MaximumConnectTime = 0xa0,
    /// 0xa1: the server has no subscription identifiers.
    SubscriptionIdentifiersNotSupported = 0xa1,
    /// 0xa2: the server has no wildcard subscriptions.
    WildcardSubscriptionsNotSupported = 0xa2,
}

impl ReasonCode {
    /// All of them, in order.
    pub const ALL: [Self; 43] = [
        Self::Success,
        Self::GrantedQos1,
        Self::GrantedQos2,
        Self::DisconnectWithWill,
        Self::NoMatchingSubscribers,
        Self::NoSubscriptionExisted,
        Self::ContinueAuthentication,
        Self::ReAuthenticate,
        Self::UnspecifiedError,
        Self::MalformedPacket,
        Self::ProtocolError,
        Self::ImplementationSpecificError,
        Self::UnsupportedProtocolVersion,
        Self::ClientIdentifierNotValid,
        Self::BadUserNameOrPassword,
        Self::NotAuthorized,
        Self::ServerUnavailable,
        Self::ServerBusy,
        Self::Banned,
        Self::ServerShuttingDown,
        Self::BadAuthenticationMethod,
        Self::KeepAliveTimeout,
        Self::SessionTakenOver,
        Self::TopicFilterInvalid,
        Self::TopicNameInvalid,
        Self::PacketIdentifierInUse,
        Self::PacketIdentifierNotFound,
        Self::ReceiveMaximumExceeded,
        Self::TopicAliasInvalid,
        Self::PacketTooLarge,
        Self::MessageRateTooHigh,
        Self::QuotaExceeded,
        Self::AdministrativeAction,
        Self::PayloadFormatInvalid,
        Self::RetainNotSupported,
        Self::QosNotSupported,
        Self::UseAnotherServer,
        Self::ServerMoved,
        Self::SharedSubscriptionsNotSupported,
        Self::ConnectionRateExceeded,
        Self::MaximumConnectTime,
        Self::SubscriptionIdentifiersNotSupported,
        Self::WildcardSubscriptionsNotSupported,
    ];

    /// The code with this number, if there is one.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as u8 == byte)
    }

    /// Whether it went wrong: 0x80 and above.
    #[must_use]
    pub fn is_failure(self) -> bool {
        self as u8 >= 0x80
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_number_and_no_other_number_is_a_code() {
        assert!(ReasonCode::ALL.is_sorted());
        let known: Vec<_> = (0..=u8::MAX).filter_map(ReasonCode::from_byte).collect();
        assert_eq!(known, ReasonCode::ALL);
        assert!(
            known
                .iter()
                .all(|code| code.is_failure() == (*code >= ReasonCode::UnspecifiedError))
        );
    }
}
