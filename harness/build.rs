//! Scenarios become test cases when the tests are compiled: a new one has to
//! lead to a new build.
#![expect(
    clippy::print_stdout,
    reason = "this is how a build script speaks to cargo"
)]

fn main() {
    println!("cargo::rerun-if-changed=../scenarios");
}
