use expect_test::{Expect, expect};
use serde::Deserialize;
use telemetry_alerting::{AlertingConfig, ThresholdEngine, channels};
use telemetry_interfaces::{Code, ErrorKind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    alerting: AlertingConfig,
}

fn check(toml: &str, expected: Expect) {
    let answer = match toml::from_str::<File>(toml) {
        Err(error) => error.to_string(),
        Ok(file) => match file.alerting.validate() {
            Ok(()) => "accepted".into(),
            Err(error) => {
                assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, Code::Configuration));
                error.to_string()
            }
        },
    };
    expected.assert_eq(answer.trim_end());
}

fn rule(fields: &str, expected: Expect) {
    let toml = format!("[[alerting.rules]]\nid = \"mine\"\n{fields}\n");
    check(&toml, expected);
}

#[test]
fn a_rule_with_everything() {
    rule(
        r#"
selector = "shop.*"
site = "shop.example"
signal = "duration_ms"
aggregate = "p95"
last = 50
within = "1h 30m"
comparison = ">"
fire_at = 2000
clear_at = 1500
against = "fixed"
for = "1m"
keep_firing_for = "PT5M"
min_samples = 10
severity = "low"
steps = [{ at = 5000, severity = "critical" }]
labels = { team = "checkout" }
summary = "{selector} takes {value}"
unless_firing = ["selector-broken"]"#,
        expect!["accepted"],
    );
}

#[test]
fn mistakes_in_a_rule() {
    let base = "signal = \"error_rate\"\ncomparison = \">\"\n";
    let with = |fields: &str, expected| rule(&format!("{base}{fields}"), expected);
    rule(
        "signal = \"duration\"\nlast = 5\ncomparison = \">\"\nfire_at = 1",
        expect![[r#"
        TOML parse error at line 3, column 10
          |
        3 | signal = "duration"
          |          ^^^^^^^^^^
        unknown signal "duration"; did you mean "duration_ms"?; known signals: success_rate, error_rate, zero_match_rate, timeout_rate, validation_failure_rate, environment_fault_rate, fallback_rate, fallback_depth, strategy_switches, confidence, match_count, duration_ms, frequency"#]],
    );
    rule(
        "signal = \"zzz\"\nlast = 5\ncomparison = \">\"\nfire_at = 1",
        expect![[r#"
        TOML parse error at line 3, column 10
          |
        3 | signal = "zzz"
          |          ^^^^^
        unknown signal "zzz"; known signals: success_rate, error_rate, zero_match_rate, timeout_rate, validation_failure_rate, environment_fault_rate, fallback_rate, fallback_depth, strategy_switches, confidence, match_count, duration_ms, frequency"#]],
    );
    with(
        "fire_at = 0.5\nlast = 5\nfor = \"10 minuets\"",
        expect![[r#"
        TOML parse error at line 7, column 7
          |
        7 | for = "10 minuets"
          |       ^^^^^^^^^^^^
        found "10 minuets", expected a duration in hours, minutes and seconds such as "10m", "30s" or "1h30m""#]],
    );
    with(
        "fire_at = 0.5\nlast = 5\nfire_and_forget = true",
        expect![[r#"
            TOML parse error at line 7, column 1
              |
            7 | fire_and_forget = true
              | ^^^^^^^^^^^^^^^
            unknown field `fire_and_forget`, expected one of `id`, `selector`, `site`, `attributes`, `signal`, `aggregate`, `last`, `within`, `comparison`, `fire_at`, `clear_at`, `against`, `baseline`, `for`, `keep_firing_for`, `min_samples`, `confidence`, `no_data`, `severity`, `graded`, `escalate_after`, `steps`, `labels`, `summary`, `annotations`, `runbook`, `unless_firing`"#]],
    );
    with(
        "fire_at = 0.5",
        expect![
            "TEL-004 an alert rule is wrong: found no window, expected last (a number of operations) or within (a duration), or both (rule: mine, field: alerting.rules.last)"
        ],
    );
    with(
        "fire_at = 0.5\nlast = 0",
        expect![
            "TEL-004 an alert rule is wrong: found 0, expected 1 to 1000 (rule: mine, field: alerting.rules.last)"
        ],
    );
    with(
        "fire_at = 0.5\nwithin = \"48h\"",
        expect![
            "TEL-004 an alert rule is wrong: found 48h, expected 1s to 24h (rule: mine, field: alerting.rules.within)"
        ],
    );
    with(
        "fire_at = 0.5\nlast = 5\nmin_samples = 6",
        expect![
            "TEL-004 an alert rule is wrong: found 6, expected 1 to 5 (rule: mine, field: alerting.rules.min_samples)"
        ],
    );
    with(
        "fire_at = 50\nlast = 5",
        expect![
            "TEL-004 an alert rule is wrong: found 50, expected 0 to 1, for error_rate (rule: mine, field: alerting.rules.fire_at)"
        ],
    );
    with(
        "fire_at = nan\nlast = 5",
        expect![
            "TEL-004 an alert rule is wrong: found NaN, expected 0 to 1, for error_rate (rule: mine, field: alerting.rules.fire_at)"
        ],
    );
    with(
        "fire_at = 0.5\nclear_at = 0.6\nlast = 5",
        expect![
            "TEL-004 an alert rule is wrong: found 0.6, expected at most fire_at (0.5) (rule: mine, field: alerting.rules.clear_at)"
        ],
    );
    with(
        "fire_at = 0\nagainst = \"baseline_ratio\"\nlast = 5",
        expect![
            "TEL-004 an alert rule is wrong: found 0, expected a factor above 0 (rule: mine, field: alerting.rules.fire_at)"
        ],
    );
    with(
        "fire_at = 0.5\nlast = 5\nbaseline = { samples = 50 }",
        expect![[
            r#"TEL-004 an alert rule is wrong: found a baseline with against = "fixed", expected against = "baseline_ratio" or "baseline_delta", or no baseline (rule: mine, field: alerting.rules.baseline)"#
        ]],
    );
    with(
        "fire_at = 0.5\nlast = 5\nsummary = \"{selecter} broke\"",
        expect![
            "TEL-004 an alert rule is wrong: found {selecter}, expected one of {selector}, {site}, {rule}, {signal}, {value}, {threshold}, {samples} (rule: mine, field: alerting.rules.summary)"
        ],
    );
    with(
        "fire_at = 0.5\nlast = 5\nunless_firing = [\"selector-brokn\"]",
        expect![[
            r#"TEL-004 an alert rule is wrong: found "selector-brokn", expected ids of rules in force: selector-broken, selector-never-matched, selector-fallback, selector-flaky, selector-confidence, selector-slow, selector-untested, mine (rule: mine, field: alerting.rules.unless_firing)"#
        ]],
    );
    with(
        "fire_at = 0.5\nlast = 5\nsteps = [{ at = 0.9, severity = \"low\" }]",
        expect![
            "TEL-004 an alert rule is wrong: found low, expected medium or higher, the rule's own severity (rule: mine, field: alerting.rules.steps[0].severity)"
        ],
    );
    rule(
        "signal = \"confidence\"\naggregate = \"rate\"\nlast = 5\ncomparison = \"<\"\nfire_at = 0.5",
        expect![
            "TEL-004 an alert rule is wrong: found rate of confidence, expected mean, min, max, count or a quantile; a rate needs a share such as error_rate (rule: mine, field: alerting.rules.aggregate)"
        ],
    );
    rule(
        "signal = \"frequency\"\nlast = 5\ncomparison = \"<\"\nfire_at = 0.5",
        expect![
            "TEL-004 an alert rule is wrong: found nothing, expected a duration, because a frequency needs to know over what time (rule: mine, field: alerting.rules.within)"
        ],
    );
}

#[test]
fn mistakes_elsewhere() {
    check(
        "[alerting]\nprofile = \"orignal\"",
        expect![[r#"
        TOML parse error at line 2, column 11
          |
        2 | profile = "orignal"
          |           ^^^^^^^^^
        unknown variant `orignal`, expected one of `default`, `original`, `none`"#]],
    );
    check(
        "[alerting]\ncooldown = \"2 days\"",
        expect![[r#"
        TOML parse error at line 2, column 12
          |
        2 | cooldown = "2 days"
          |            ^^^^^^^^
        found "2 days", expected a duration in hours, minutes and seconds such as "10m", "30s" or "1h30m""#]],
    );
    check(
        "[[alerting.webhooks]]\nname = \"x\"\nurl = \"hooks.example\"",
        expect![[
            r#"TEL-004 a webhook is wrong: found "hooks.example", expected http:// or https:// with a host, as in https://hooks.example/alerts (webhook: x, field: alerting.webhooks.url)"#
        ]],
    );
    check(
        "[[alerting.webhooks]]\nname = \"x\"\nurl = \"http://a\"\ntimeout = \"5m\"",
        expect![
            "TEL-004 a webhook is wrong: found 5m, expected 100ms to 60s (webhook: x, field: alerting.webhooks.timeout)"
        ],
    );
    let twice = "[[alerting.rules]]\nid = \"a\"\nsignal = \"error_rate\"\nlast = 5\n\
                 comparison = \">\"\nfire_at = 0.5\n";
    check(
        &format!("{twice}{twice}"),
        expect![
            "TEL-004 an alert rule is wrong: found the same id twice, expected a unique id (rule: a, field: alerting.rules.id)"
        ],
    );
}

#[test]
fn ones_own_rule_replaces_the_profiles() {
    let file: File = toml::from_str(
        "[[alerting.rules]]\nid = \"selector-slow\"\nsignal = \"duration_ms\"\nlast = 5\n\
         comparison = \">\"\nfire_at = 100",
    )
    .unwrap();
    let rules = file.alerting.effective_rules();
    assert_eq!(rules.len(), AlertingConfig::default().effective_rules().len());
    assert_eq!(rules.iter().filter(|rule| &*rule.id == "selector-slow").count(), 1);
    assert!(ThresholdEngine::new(&file.alerting).is_ok());
}

#[test]
fn what_comes_out_goes_in_again() {
    let config = AlertingConfig {
        rules: AlertingConfig::default().effective_rules(),
        cooldown: Some(std::time::Duration::from_secs(90)),
        ..AlertingConfig::default()
    };
    config.validate().unwrap();
    let text = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<AlertingConfig>(&text).unwrap(), config);
}

#[test]
fn disabled_means_no_rules_and_the_log_is_a_channel() {
    let config = AlertingConfig { enabled: false, ..AlertingConfig::default() };
    assert_eq!(config.effective_rules(), []);
    assert_eq!(channels(&config).unwrap().len(), 1);
}
