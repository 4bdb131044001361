//! The codec against what Apache Kafka itself wrote.

use klamm_tests::recorded::exchanges;
use klamm_tests::wire::{explain_request, explain_response};

/// The first line says in brackets what could not be read, or not be written back byte for byte.
fn is_exact(explained: &str) -> bool {
    explained.lines().next().is_some_and(|line| !line.contains('('))
}

#[test]
fn recorded_answers_are_read_and_written_back_byte_for_byte() {
    let mut answers = 0;
    // Those of pipelining hold several frames each, some of APIs that are not served.
    for exchange in exchanges().filter(|exchange| !exchange.name.starts_with("pipeline.")) {
        let Some(response) = exchange.response else {
            continue;
        };
        let explained = explain_response(&exchange.request, &response);
        assert!(is_exact(&explained), "{}: {explained}", exchange.name);
        answers += 1;
    }
    assert!(answers > 530, "{answers} answers");
}

#[test]
fn recorded_requests_are_read_unless_they_are_about_what_is_wrong_with_them() {
    let exact = exchanges().filter(|exchange| is_exact(&explain_request(&exchange.request)));
    assert!(exact.count() > 530);
}
