use crate::events::{alert, make, report, report_with, shop};
use expect_test::{Expect, expect};
use telemetry_interfaces::ReportRenderer;
use telemetry_models::report::Report;
use telemetry_models::{AlertState, AttemptOutcome, Outcome, Signal};
use telemetry_reporting::{JsonRenderer, TerminalRenderer};

fn check(report: &Report, renderer: &dyn ReportRenderer, expected: Expect) {
    expected.assert_eq(&renderer.render(report).unwrap());
}

#[test]
fn terminal_after_the_shop_changed() {
    let alerts = [alert("a1", "shop.price", Signal::ErrorRate, AlertState::Firing)];
    let renderer = TerminalRenderer::new().html_path("/tmp/report.html");
    check(
        &report_with(&shop(), &alerts),
        &renderer,
        expect![[r#"
            2026-01-01 12:00:00 UTC to 2026-01-01 12:01:59 UTC · all events
            FAILING  4 of 6 selectors need attention: 1 stopped working, 1 depends on a
                     fallback, 1 lost confidence, 1 slowed.

            720 operations · 90.0% of 600 succeeded [87.3–92.2%] · p50 11.0 ms p95 91.0 ms
            6 selectors · 1 site · faults: selector 60, environment 0 · expected absent 120

            What needs attention
             1 critical  shop.price on shop.example            since 2026-01-01 12:01:00 UTC
                         stopped working: 100% of 60 → 0% of 60         ██████████▁▁▁▁▁▁▁▁▁▁
             2   medium  shop.rating on shop.example     since about 2026-01-01 12:01:00 UTC
                         slowed: 11.0 ms (n 60) → 91.8 ms (n 60)        ▁▁▁▁▁▁▁▁▁▁▇▇▇▇▇▇▇▇▇▇
             3   medium  shop.stock on shop.example            since 2026-01-01 12:01:00 UTC
                         depends on a fallback: 0% of 60 → 100% of 60   ▁▁▁▁▁▁▁▁▁▁██████████
             4      low  shop.seller on shop.example     since about 2026-01-01 12:01:00 UTC
                         lost confidence: 0.95 (n 60) → 0.60 (n 60)     ▇▇▇▇▇▇▇▇▇▇▅▅▅▅▅▅▅▅▅▅

            alerts: 1 open, 0 resolved in this period
            full report: /tmp/report.html
        "#]],
    );
}

#[test]
fn terminal_when_all_is_well() {
    let events: Vec<_> =
        shop().into_iter().filter(|event| event.selector.as_str() == "shop.title").collect();
    check(
        &report(&events),
        &TerminalRenderer::new(),
        expect![[r#"
            2026-01-01 12:00:00 UTC to 2026-01-01 12:01:59 UTC · all events
            HEALTHY  1 selector works: 100% of 120 operations succeeded.

            120 operations · 100% of 120 succeeded [96.9–100%] · p50 10.0 ms p95 10.0 ms
            1 selector · 1 site · faults: selector 0, environment 0 · expected absent 0
        "#]],
    );
}

#[test]
fn json_of_a_few_events() {
    let events: Vec<_> = (0..6u32)
        .map(|n| {
            make(n.into(), "a.b", n.into(), Outcome::Success)
                .ms(10 + u64::from(n))
                .confidence(0.9)
                .attempt("css", "h1", AttemptOutcome::Accepted)
                .event
        })
        .collect();
    check(
        &report(&events),
        &JsonRenderer::new(),
        expect![[r#"
            {"report_version":1,"kind":"summary","generated_at":"2026-01-01T12:10:00Z","period":{"from":null,"to":null,"first":"2026-01-01T12:00:00Z","last":"2026-01-01T12:00:05Z"},"filter":"all events","verdict":{"level":"healthy","sentence":"1 selector works: 100% of 6 operations succeeded."},"totals":{"operations":6,"success":6,"selector_fault":0,"environment_fault":0,"cancelled":0,"expected_absence":0,"success_rate":{"share":1.0,"low":0.609666,"high":1.0,"count":6,"n":6},"durations":{"n":6,"p50_ms":12.026,"p95_ms":13.992,"p99_ms":13.992,"max_ms":15.0},"selectors":1,"sites":1,"sessions":0},"attention":[],"attention_omitted":0,"selectors":[{"selector":"a.b","site":"shop.example","health":"healthy","operations":6,"outcomes":[{"outcome":"success","count":6}],"success_rate":{"share":1.0,"low":0.609666,"high":1.0,"count":6,"n":6},"fallback_rate":{"share":0.0,"low":0.0,"high":0.390334,"count":0,"n":6},"fallback_depths":[6,0,0,0,0,0,0,0,0],"confidence":{"n":6,"mean":0.9,"min":0.9,"tenths":[0,0,0,0,0,0,0,0,0,6]},"durations":{"n":6,"p50_ms":12.026,"p95_ms":13.992,"p99_ms":13.992,"max_ms":15.0},"flakiness":{"share":0.0,"low":0.0,"high":0.434482,"count":0,"n":5},"winning_strategy":{"kind":"css","text":"h1"},"strategies":[{"strategy":{"kind":"css","text":"h1"},"tried":6,"accepted":6,"empty":0,"failed":[],"shadow":0,"median_ms":0.4,"timed":6}],"errors":[],"urls":1,"last_success":"2026-01-01T12:00:05Z","last_success_event":"00000000-0000-0000-0000-000000000005","recent_faults":[],"series":{"start":"2026-01-01T12:00:00Z","step_s":1,"verdicts":[1,1,1,1,1,1],"faults":[0,0,0,0,0,0],"p50_ms":[9.82,11.046,11.947,12.922,13.977,15.117],"fallback_share":[0.0,0.0,0.0,0.0,0.0,0.0],"confidence":[0.9,0.9,0.9,0.9,0.9,0.9]},"distribution":{"from_ms":8.0,"before":[2,1],"after":[0,3],"parted":"the middle of the period, 2026-01-01 12:00:02 UTC"}}],"selectors_omitted":0,"sites":[{"site":"shop.example","operations":6,"selectors":1,"selectors_in_trouble":0,"success_rate":{"share":1.0,"low":0.609666,"high":1.0,"count":6,"n":6},"environment_fault_rate":{"share":0.0,"low":0.0,"high":0.390334,"count":0,"n":6},"durations":{"n":6,"p50_ms":12.026,"p95_ms":13.992,"p99_ms":13.992,"max_ms":15.0},"series":{"start":"2026-01-01T12:00:00Z","step_s":1,"verdicts":[1,1,1,1,1,1],"faults":[0,0,0,0,0,0],"p50_ms":[9.82,11.046,11.947,12.922,13.977,15.117],"fallback_share":[0.0,0.0,0.0,0.0,0.0,0.0],"confidence":[0.9,0.9,0.9,0.9,0.9,0.9]},"days":{"start":"2026-01-01T00:00:00Z","operations":[6],"verdicts":[6],"successes":[6]}}],"sites_omitted":0,"performance":{"time_ms":75.0,"timed":6,"bottlenecks":[{"selector":"a.b","site":"shop.example","time_ms":75.0,"share":1.0,"durations":{"n":6,"p50_ms":12.026,"p95_ms":13.992,"p99_ms":13.992,"max_ms":15.0},"strategy":{"kind":"css","text":"h1"},"strategy_time_ms":2.4}],"bottlenecks_omitted":0,"service_level":{"within_ms":1000.0,"target":0.95,"met":{"share":1.0,"low":0.609666,"high":1.0,"count":6,"n":6},"judged":1,"missed":[],"missed_omitted":0}},"health":{"objective":0.99,"fleet":{"selector":null,"site":null,"score":0.94,"parts":[{"name":"confidence","value":0.9,"weight":0.6,"n":6},{"name":"success","value":1.0,"weight":0.4,"n":6}],"budget":{"n":6,"faults":0,"allowed":0.06,"consumed":0.0,"burn":[]}},"sites":[{"selector":null,"site":"shop.example","score":0.94,"parts":[{"name":"confidence","value":0.9,"weight":0.6,"n":6},{"name":"success","value":1.0,"weight":0.4,"n":6}],"budget":{"n":6,"faults":0,"allowed":0.06,"consumed":0.0,"burn":[]}}],"sites_omitted":0,"selectors":[{"selector":"a.b","site":"shop.example","score":0.94,"parts":[{"name":"confidence","value":0.9,"weight":0.6,"n":6},{"name":"success","value":1.0,"weight":0.4,"n":6}],"budget":{"n":6,"faults":0,"allowed":0.06,"consumed":0.0,"burn":[]}}],"selectors_omitted":0},"trends":{"judged":0,"rows":[],"rows_omitted":0},"recommendations":{"cards":[],"cards_omitted":0,"joint_ms_per_day":null,"joint_share":null,"scarce":[],"scarce_omitted":0,"adopted":[]},"alerts":{"open":[],"resolved":[]},"data_quality":{"events_read":6,"damaged_places":0,"damage":[],"contradictory":0,"future_timestamps":0,"untracked_events":0,"ledgers":0,"recorded":0,"unsettled":0,"dropped":[],"ledgers_unreadable":null,"alerts_unreadable":null,"missing":[{"field":"context_data.browser_session_id","missing":6,"n":6},{"field":"engine","missing":6,"n":6},{"field":"run_id","missing":6,"n":6}],"duplicates":0,"sequenced":0,"disordered_streams":0,"streams":0,"censored":0,"rolled_up":0,"weakens":["Many events lack a run: comparisons take their operations for one run, and duplicates cannot be told."]},"usage":{"engines":[],"url_templates":[],"operations":[{"name":"resolution","count":6}],"agents":[],"viewports":[],"hours":[0,0,0,0,0,0,0,0,0,0,0,0,6,0,0,0,0,0,0,0,0,0,0,0],"days":{"start":"2026-01-01T00:00:00Z","operations":[6],"verdicts":[6],"successes":[6]},"per_hour":4320.0,"trend":null},"methods":{"interval":"Wilson, 95 %","quantile_relative_error":0.00390625,"rules":["Too few to judge: fewer than 5 operations that tested the selector.","Stopped working: 3 or more faults in a row up to the end, after a success, that the fault rate before them makes less likely than 1 in 1,000.","Succeeds less: success rate at least 10.0% lower than before, 5 or more operations on each side, 99.9 % intervals disjoint, and still so at the end.","Fails often: 95 % interval below 90.0%.","Fallback took over: share of fallbacks at least 30.0% higher than before, by the same test.","Confidence fell: mean at least 0.10 lower than before, Welch's t of 4 or more.","Slowed: median at least 1.5 times and 500 µs above before, share of slow operations risen by the same test.","Site trouble: 95 % interval of the share of operations spoilt by the environment above 20.0%.","Recommended orders are chosen on the first two thirds of the period and estimated on the last: the 99 % interval of the saving (jackknife over clusters) lies above 0, it is at least 2 % of the time, at least 90 % of the operations tell what the order would have done, and the success lost is at most 1.5% at the upper end of its 90 % interval. The estimate is drawn towards 0 as far as it is uncertain.","Savings a day of a period shorter than a day are those of the period."]},"reproduce":"telemetry report --store ./telemetry-data"}
        "#]],
    );
}
