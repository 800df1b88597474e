//! Mistakes in a target's file, each as a person sees it.

use std::path::Path;

use rstest::{Context, rstest};
use squall::targets::Target;

/// A target in which every case makes one mistake.
const VALID: &str = r#"title = "Broker"
install = "apt-get install broker"
mqtt = ["3.1.1"]

[version]
command = ["broker", "--version"]
pattern = 'broker (\S+)'

[start]
command = ["broker", "{{ scratch }}/broker.conf"]
ports = ["mapper"]

[start.files]
"broker.conf" = '''
listener {{ port.tcp }}
'''

[[start.helper]]
command = ["mapper"]
port = "mapper"

[[listen]]
transport = "tcp"

[[listen]]
transport = "ws"
path = "/mqtt"
private_network = true

[capabilities]
qos_max = 1

[[expected]]
statement = "MQTT311-3.3.1-5"
reason = "sent on with RETAIN set"
"#;

fn diagnostic(text: &str) -> String {
    match Target::parse(Path::new("broker.toml"), text) {
        Ok(_) => panic!("no mistake was found in\n{text}"),
        Err(error) => error.render(false, 100),
    }
}

#[test]
fn the_valid_target_is_valid() {
    if let Err(error) = Target::parse(Path::new("broker.toml"), VALID) {
        panic!("{}", error.render(false, 100));
    }
}

/// In `VALID`, `right` becomes `wrong`.
#[rstest]
#[case::unknown_key("install =", "instal =")]
#[case::unknown_version("[\"3.1.1\"]", "[\"3.1\"]")]
#[case::no_version("mqtt = [\"3.1.1\"]", "")]
#[case::unknown_transport("\"tcp\"", "\"tpc\"")]
#[case::empty_command("[\"mapper\"]\nport", "[]\nport")]
#[case::pattern_without_group("(\\S+)", "\\S+")]
#[case::not_a_pattern("(\\S+)", "(\\S+")]
#[case::unknown_place("{{ scratch }}", "{{ scrach }}")]
#[case::port_of_a_listener_that_may_be_missing("{{ port.tcp }}", "{{ port.ws }}")]
#[case::file_elsewhere("\"broker.conf\" =", "\"../broker.conf\" =")]
#[case::two_ports_of_one_name("[\"mapper\"]\n\n", "[\"tcp\"]\n\n")]
#[case::helper_at_no_port("port = \"mapper\"", "port = \"maper\"")]
#[case::two_listeners_of_one_name("\"ws\"\npath = \"/mqtt\"", "\"tcp\"")]
#[case::path_without_websocket("\"ws\"", "\"tls\"")]
#[case::not_a_path("\"/mqtt\"", "\"mqtt\"")]
#[case::no_such_qos("qos_max = 1", "qos_max = 3")]
#[case::failure_of_nothing("statement = \"MQTT311-3.3.1-5\"\n", "")]
#[case::failure_without_reason("reason = \"sent on with RETAIN set\"\n", "")]
fn a_mistake_is_shown_where_it_stands(
    #[context] context: Context,
    #[case] right: &str,
    #[case] wrong: &str,
) {
    assert!(VALID.contains(right), "{right} is not in the valid target");
    let name = context.description.expect("a name");
    insta::assert_snapshot!(name, diagnostic(&VALID.replacen(right, wrong, 1)));
}

#[test]
fn a_target_that_there_is_not_is_answered_with_the_nearest() {
    let error = Target::load("mosqitto").expect_err("no target");
    insta::assert_snapshot!("no_such_target", error.render(false, 100));
    let error = Target::load("./none.toml").expect_err("no file");
    assert!(
        error.to_string().contains("cannot read ./none.toml"),
        "{error}"
    );
}
