use crate::{fixture, report, xtask};
use std::process::Command;

/// A small count of what `eval rules` does in thousands.
#[test]
fn rules_agree_with_promtool() {
    if Command::new("promtool").arg("--version").output().is_err() {
        let ci = std::env::var_os("CI").is_some_and(|it| it == "true");
        assert!(!ci, "promtool is absent; it comes with the Debian package prometheus");
        eprintln!("skipped: rules_agree_with_promtool needs promtool (Debian package prometheus)");
        return;
    }
    let mut command = xtask(&fixture("good"));
    let text = report(command.args(["eval", "rules", "--cases", "500"]).output().unwrap());
    assert!(text.starts_with("exit code 0"), "{text}");
    assert!(text.contains("wrong on purpose was noticed"), "{text}");
}
