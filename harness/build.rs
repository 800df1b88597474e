//! Scenarios become test cases when the tests are compiled: a new one has to
//! lead to a new build.

fn main() {
    println!("cargo::rerun-if-changed=../scenarios");
}
