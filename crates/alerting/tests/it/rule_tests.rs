//! Unit tests of rules, and rules as Prometheus takes them.

use std::process::Command;
use telemetry_alerting::{AlertingConfig, RuleTests, prometheus_rules};

#[derive(serde::Deserialize)]
struct File {
    alerting: AlertingConfig,
}

fn config(toml: &str) -> AlertingConfig {
    toml::from_str::<File>(toml).unwrap().alerting
}

const RULES: &str = r#"
[alerting]
profile = "none"
[[alerting.rules]]
id = "errors"
signal = "error_rate"
within = "2m"
comparison = ">"
fire_at = 0.5
for = "30s"
keep_firing_for = "1m"
labels = { team = "shop" }
[[alerting.rules]]
id = "checkout"
attributes = { flow = "checkout" }
signal = "error_rate"
last = 2
comparison = ">="
fire_at = 1.0
"#;

const HEAD: &str = r#"
[[tests]]
name = "errors"
interval = "15s"
"#;
const INPUT: &str = r#"
[[tests.input]]
selector = "shop.price"
site = "shop.example"
operations = ["success duration=20ms x4", "not_found x12", "success x20"]
"#;

/// What came of the test with these expectations: failures, or what is wrong with it.
fn run(expectations: &str, input: &str) -> Vec<String> {
    let text = format!("{HEAD}{expectations}{input}");
    let tests: RuleTests = toml::from_str(&text).unwrap();
    match tests.run(&config(RULES)) {
        Ok(results) => results.into_iter().flat_map(|result| result.failures).collect(),
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn a_test_follows_an_alert_through_its_states() {
    let expectations = r#"
expect = [
    { at = "1m45s", rule = "errors", state = "inactive" },
    { at = "2m", rule = "errors", selector = "shop.price", state = "pending" },
    { at = "2m30s", rule = "errors", state = "firing", severity = "medium", labels = { team = "shop" } },
    { at = "5m15s", rule = "errors", state = "recovering" },
    { at = "8m", rule = "errors", state = "inactive" },
]"#;
    assert_eq!(run(expectations, INPUT), [""; 0]);
}

#[test]
fn a_failure_says_when_what_was_expected_and_what_came() {
    let expectations = r#"
expect = [
    { at = "2m", rule = "errors", state = "firing" },
    { at = "2m30s", rule = "errors", state = "firing", severity = "high", labels = { team = "x" } },
    { at = "2m45s", rule = "checkout", state = "firing" },
    { at = "3m", rule = "errors", selector = "shop.title", state = "inactive" },
]"#;
    let failures = run(expectations, INPUT);
    let parts = [
        "errors: expected firing, got shop.price on shop.example pending since 2m",
        "errors: expected severity high, got medium",
        "errors: expected label team = \"x\", got Some(\"shop\")",
        "checkout: expected firing, got no alert",
    ];
    for (part, failure) in parts.iter().zip(&failures) {
        assert!(failure.starts_with("at 2m") && failure.contains(part), "{failure}");
    }
    // That nothing is wrong with another selector is as expected.
    assert_eq!(failures.len(), parts.len(), "{failures:?}");
}

#[test]
fn a_mistake_in_a_test_is_explained() {
    let fine = r#"expect = [{ at = "2m", rule = "errors", state = "pending" }]"#;
    for (expectations, input, parts) in [
        (fine.replace("errors", "error"), INPUT.to_owned(), ["\"error\"", "checkout, errors"]),
        (fine.replace("2m", "400h"), INPUT.to_owned(), ["expect[0].at", "at most 168h"]),
        (fine.to_owned(), INPUT.replace("not_found", "notfound"), ["operations[1]", "not_found"]),
        (fine.to_owned(), INPUT.replace("x12", "x0"), ["operations[1]", "x1 to x100000"]),
        (fine.to_owned(), INPUT.replace("duration", "time"), ["operations[0]", "duration="]),
    ] {
        let wrong = run(&expectations, &input);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(parts.iter().all(|part| wrong[0].contains(part)), "{wrong:?}");
        assert!(wrong[0].contains("TEL-004") && wrong[0].contains("test: errors"), "{wrong:?}");
    }
}

#[test]
fn a_rule_may_look_at_operations_with_attributes_only() {
    let toml = r#"
[[tests]]
name = "attributes"
[[tests.input]]
selector = "shop.pay"
attributes = { flow = "checkout" }
operations = ["not_found x2"]
[[tests.input]]
selector = "shop.price"
attributes = { flow = "browse" }
operations = ["not_found x20"]
[[tests.expect]]
at = "5s"
rule = "checkout"
selector = "shop.pay"
state = "firing"
[[tests.expect]]
at = "19s"
rule = "checkout"
selector = "shop.price"
state = "inactive"
"#;
    let tests: RuleTests = toml::from_str(toml).unwrap();
    let results = tests.run(&config(RULES)).unwrap();
    assert_eq!(results[0].failures, [""; 0]);
}

const EXPORTED: &str = r#"
[alerting]
profile = "original"
[[alerting.rules]]
id = "slow"
selector = "shop.*.price"
site = "shop.example"
signal = "duration_ms"
aggregate = "p95"
within = "10m"
comparison = ">"
fire_at = 2000
for = "1m"
keep_firing_for = "5m"
steps = [{ at = 5000, severity = "critical" }]
labels = { team-name = "check \"out\"" }
summary = "{selector} takes {value} ms, {rule} allows {threshold}"
runbook = "https://wiki.example/slow"
[[alerting.rules]]
id = "rare"
signal = "frequency"
within = "5m"
comparison = "<"
fire_at = 0.01
[[alerting.rules]]
id = "lasting"
selector = "till.*"
signal = "error_rate"
within = "5m"
min_samples = 5
comparison = ">"
fire_at = 0.4
clear_at = 0.2
[[alerting.rules]]
id = "sure"
selector = "till.*"
signal = "error_rate"
within = "5m"
min_samples = 5
comparison = ">"
fire_at = 0.4
confidence = 0.95
[[alerting.rules]]
id = "own-past"
signal = "error_rate"
last = 10
comparison = ">="
fire_at = 0.5
against = "baseline_delta"
"#;

fn promtool(arguments: &[&str]) -> Option<(bool, String)> {
    match Command::new("promtool").args(arguments).output() {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
        }
        Err(error) => {
            assert!(std::env::var("CI").is_err(), "promtool: {error}");
            eprintln!("skipped: promtool is not here ({error})");
            None
        }
    }
}

#[test]
fn what_has_an_equal_in_prometheus_is_exported_and_the_rest_is_said() {
    let exported = prometheus_rules(&config(EXPORTED).effective_rules());
    assert_eq!(exported.exported, 7, "{:?}", exported.left_out);
    let left_out: Vec<_> =
        exported.left_out.iter().map(|(id, reason)| format!("{id}: {reason}")).collect();
    assert_eq!(
        left_out,
        [
            "strategy-switches: there is no metric for mean of strategy_switches",
            "own-past: its window is a number of operations (last), not a time (within)",
        ]
    );
    let folder = std::env::temp_dir().join(format!("telemetry-rules-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("rules.yml"), &exported.yaml).unwrap();
    std::fs::write(folder.join("tests.yml"), PROMETHEUS_TEST).unwrap();
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let answers = [
        promtool(&["check", "rules", &path("rules.yml")]),
        promtool(&["test", "rules", &path("tests.yml")]),
    ];
    std::fs::remove_dir_all(&folder).unwrap();
    for (fine, text) in answers.into_iter().flatten() {
        assert!(fine, "{text}\n{}", exported.yaml);
    }
}

/// Counters as an exporter would have them: half of the operations fail from the fifth minute on,
/// and take six seconds.
const PROMETHEUS_TEST: &str = r#"
rule_files: [rules.yml]
evaluation_interval: 30s
tests:
- interval: 30s
  input_series:
  - series: 'selector_operation_duration_seconds_count{selector_id="shop.1.price",site="shop.example",outcome="success"}'
    values: '0+10x10 105+5x30'
  - series: 'selector_operation_duration_seconds_count{selector_id="shop.1.price",site="shop.example",outcome="not_found"}'
    values: '0+0x10 5+5x30'
  - series: 'selector_operation_duration_seconds_sum{selector_id="shop.1.price",site="shop.example",outcome="success"}'
    values: '0+1x10 40+30x30'
  - series: 'selector_operation_duration_seconds_bucket{selector_id="shop.1.price",site="shop.example",outcome="success",le="1"}'
    values: '0+10x10 100+0x30'
  - series: 'selector_operation_duration_seconds_bucket{selector_id="shop.1.price",site="shop.example",outcome="success",le="10"}'
    values: '0+10x10 105+5x30'
  - series: 'selector_operation_duration_seconds_bucket{selector_id="shop.1.price",site="shop.example",outcome="success",le="+Inf"}'
    values: '0+10x10 105+5x30'
  alert_rule_test:
  - eval_time: 4m
    alertname: error-rate
    exp_alerts: []
  - eval_time: 15m
    alertname: error-rate
    exp_alerts:
    - exp_labels: {severity: medium, selector_id: shop.1.price, site: shop.example}
      exp_annotations: {summary: "shop.1.price on shop.example: error_rate is 0.5 (limit 0.1)"}
  - eval_time: 4m
    alertname: slow
    exp_alerts: []
  promql_expr_test:
  - expr: count by (alertname, severity) (ALERTS{alertname="slow", alertstate="firing"})
    eval_time: 16m
    exp_samples:
    - {labels: '{alertname="slow", severity="critical"}', value: 1}
    - {labels: '{alertname="slow", severity="medium"}', value: 1}
# 10 operations each half minute: half of them fail for 10 minutes, 3 for 10, then none.
- interval: 30s
  input_series:
  - series: 'selector_operation_duration_seconds_count{selector_id="till.pay",site="shop.example",outcome="success"}'
    values: '0+5x20 107+7x20 257+10x20'
  - series: 'selector_operation_duration_seconds_count{selector_id="till.pay",site="shop.example",outcome="not_found"}'
    values: '0+5x20 103+3x20 163+0x20'
  promql_expr_test:
  # 0.5 is above 0.4 at once, surely so when 100 of 200 failed within the window.
  - expr: ALERTS{alertname="lasting",alertstate="firing"}
    eval_time: 9m
    exp_samples: [{labels: 'ALERTS{alertname="lasting",alertstate="firing",selector_id="till.pay",severity="medium",site="shop.example"}', value: 1}]
  - expr: count by (alertname) (ALERTS{alertname="sure",alertstate="firing"})
    eval_time: 1m
    exp_samples: []
  - expr: count by (alertname) (ALERTS{alertname="sure",alertstate="firing"})
    eval_time: 9m
    exp_samples: [{labels: '{alertname="sure"}', value: 1}]
  # 0.3 does not make one fire, and keeps that which ends at 0.2; that which ends at 0.4 ends.
  - expr: count by (alertname) (ALERTS{alertname=~"lasting|sure",alertstate="firing"})
    eval_time: 19m
    exp_samples: [{labels: '{alertname="lasting"}', value: 1}]
  - expr: count by (alertname) (ALERTS{alertname=~"lasting|sure",alertstate="firing"})
    eval_time: 28m
    exp_samples: []
"#;
