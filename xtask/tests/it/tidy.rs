use expect_test::{ExpectFile, expect_file};

use crate::{fixture, report, xtask};

/// The expectations are files, because they quote what `tidy` finds in Rust sources.
fn check(case: &str, expected: ExpectFile) {
    expected.assert_eq(&report(xtask(&fixture(case)).arg("tidy").output().unwrap()));
}

#[test]
fn a_tidy_workspace_passes() {
    check("tidy-good", expect_file!["../fixtures/tidy-good.txt"]);
}

#[test]
fn every_untidy_thing_is_named() {
    check("tidy-bad", expect_file!["../fixtures/tidy-bad.txt"]);
}
