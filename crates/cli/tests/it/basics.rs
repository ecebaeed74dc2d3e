use crate::setup::{Place, ran};
use expect_test::expect;
use std::process::Stdio;
use telemetry_runtime::interfaces::Code;

#[test]
fn help_teaches_the_first_steps() {
    let ran = Place::new().run(&["--help"]).code(0);
    expect![[r#"
        Watches every selector operation of scrapers: look at events, alerts, reports and the store

        Usage: telemetry [OPTIONS] <COMMAND>

        Commands:
          demo         Watch selectors of a small shop while the shop changes: no network, no settings
          init         Write a commented telemetry.toml
          doctor       Check configuration, store, ledgers and alerts, and say what to do
          query        List events, or show one with all its attempts
          tail         Show the latest events, and with --follow what is stored from now on
          stats        Statistics of each selector
          report       Make a report: terminal text, JSON, HTML, Markdown, CSV or JUnit XML
          schedule     Make reports by themselves, and deliver them
          check        Check conditions, for continuous integration
          anomalies    Find anomalies in what selectors did over time
          calibration  Show whether confidence means what it says
          alerts       Look at alerts
          store        Look after the store
          config       Look at the configuration
          completions  Print a completion script for a shell

        Options:
          -h, --help     Print help
          -V, --version  Print version

        Everywhere:
              --store <DIR>    The store [default: storage.path of the configuration, or ./telemetry-data]
              --config <FILE>  The configuration [default: ./telemetry.toml if it is there]
              --json           Answer in JSON, for machines; lists as JSON Lines
              --color <WHEN>   Colours: auto, always or never; NO_COLOR is respected
          -v, --verbose...     Log to the standard error; twice for more (TELEMETRY_LOG takes filter
                               directives)

        First steps:
          telemetry demo                                  see it all work, on a shop of its own
          telemetry init                                  write a commented telemetry.toml
          telemetry doctor                                see whether everything is in order
          telemetry stats --since -24h                    see how each selector does
          telemetry query --failed --newest               see what went wrong last
          telemetry report --format html                  one page for the team

        Times: RFC 3339 (2026-11-01T12:00:00Z), a day (2026-11-01, UTC), -2h, -30m, -7d, now
        Exit codes: 0 fine; 1 the answer is no (a check failed, nothing of that name); 2 could not tell
                    (wrong usage, or an error stopped the command)
        Everywhere: TELEMETRY_STORE and TELEMETRY_CONFIG stand for --store and --config
        Settings: flags, then environment (TELEMETRY_STORAGE_PATH, ...), then telemetry.toml, then defaults
    "#]].assert_eq(&ran.out);
}

#[test]
fn every_command_has_an_example() {
    let place = Place::new();
    for command in [
        &["init"][..],
        &["doctor"],
        &["query"],
        &["tail"],
        &["stats"],
        &["report"],
        &["alerts", "list"],
        &["alerts", "show"],
        &["store", "stats"],
        &["store", "verify"],
        &["config", "check"],
        &["config", "show"],
        &["completions"],
    ] {
        let args = [command, &["--help"]].concat();
        let ran = place.run(&args).code(0);
        let example = format!("telemetry {}", command.join(" "));
        let examples = ran.out.split("Example").nth(1).unwrap_or_default();
        assert!(examples.contains(&example), "{args:?}:\n{}", ran.out);
    }
}

#[test]
fn every_code_and_command_is_documented() {
    let read = |name: &str| {
        let path = format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let errors = read("errors.md");
    for code in Code::ALL {
        assert!(errors.contains(&format!("## {code}\n")), "{code} is not in docs/errors.md");
    }
    let help = Place::new().run(&["--help"]).out;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let overview = read("cli.md");
    for command in commands.lines().filter_map(|line| line.split_whitespace().next()) {
        assert!(
            overview.contains(&format!("`telemetry {command}")),
            "{command} is not in docs/cli.md"
        );
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let place = Place::new();
    place.run(&["qurey"]).code(2).says(&["qurey", "query"]);
    place.run(&["query", "--outcome", "broken"]).code(2).says(&["not_found", "timeout"]);
    place.run(&["query", "--since", "yesterday"]).code(2).says(&["-2h", "2026-11-01"]);
    place.run(&["alerts", "list", "--severity", "urgent"]).code(2).says(&["critical"]);
}

#[test]
fn completions_are_for_this_binary() {
    Place::new().run(&["completions", "bash"]).code(0).shows(&["_telemetry", "verify"]);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let place = Place::with_store();
    let mut child = place
        .command(&["query", "--json", "--limit", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran = ran(child.wait_with_output().unwrap()).code(0);
    assert_eq!(ran.err, "");
}

#[test]
fn colours_only_where_they_are_wanted() {
    let place = Place::with_store();
    let plain = place.run(&["query"]).code(0);
    assert!(!plain.out.contains('\u{1b}'));
    let coloured = place.run(&["query", "--color", "always"]).code(0);
    assert!(coloured.out.contains("\u{1b}[32msuccess\u{1b}[0m"), "{}", coloured.out);
}
