// Many databases, each with its instance: which of them is worst, and what it is that is bad there.
import { comparison, dashboard, select, series, stat } from './panels.mjs';

// An instance whose scrape fails has no dupwatch_ready and counts as blind.
const blind = `(1 - max by (job, instance) (${select('dupwatch_ready')} or on (job, instance) (0 * ${select('up')})))`;
const each = (metric, ...matchers) => `sum by (job, instance) (${select(metric, ...matchers)})`;
const fatal = each('dupwatch_open_findings', 'severity="fatal"');
const conflicts = each('dupwatch_open_findings', 'severity="conflict"');
const gaps = each('dupwatch_open_coverage_gaps');
const lost = `round(sum by (job, instance) (increase(${select('dupwatch_findings_total', 'rule="run_lost"', 'origin="stream"')}[1d])))`;
const lag = `max by (job, instance) (${select('dupwatch_stream_lag_seconds')})`;
const retained = `max by (job, instance) (${select('dupwatch_slot_retained_wal_bytes')})`;

/** What an instance does not say is 0 in its rank: that it says nothing makes it blind. */
const orNothing = (expr) => `(${expr} or on (job, instance) 0 * max by (job, instance) (${select('up')}))`;
const rank = `1e6 * ${blind} + on (job, instance) 1e3 * ${orNothing(fatal)} + on (job, instance) 100 * ${orNothing(lost)} + on (job, instance) 10 * ${orNothing(gaps)} + on (job, instance) ${orNothing(conflicts)}`;

const instances = {
  title: 'Instances',
  panels: [
    stat({
      title: 'Instances', unit: 'short', alert: 'DupwatchAbsent', width: 6, limits: [], texts: { 0: ['None', 'red'] }, queries: [[`count(${select('up')} and on (job, instance) ${select('dupwatch_build_info')}) or vector(0)`, 'instances']],
      description: 'Instances of dupwatch that are scraped. One that has vanished from the configuration of Prometheus is not missed here.',
    }),
    stat({
      title: 'Blind', unit: 'short', alert: 'DupwatchNotReady', width: 6, limits: [[1, 'red']], queries: [[`sum(${blind}) or vector(1)`, 'blind']],
      description: 'Instances that do not stream, have not caught up, or can\'t be scraped: their zeros mean nothing. Good: 0. With nothing scraped at all it is 1.',
    }),
    stat({
      title: 'With open fatal findings', unit: 'short', noValue: 'not scraped', alert: 'DupwatchFatalFindings', view: 'severity=fatal&state=open', width: 6, limits: [[1, 'red']], queries: [[`sum(${fatal} > bool 0)`, 'fatal']],
      description: 'Instances whose logs have rows on which a replay fails. Good: 0; it counts only while none is blind.',
    }),
    stat({
      title: 'With a coverage gap', unit: 'short', noValue: 'not scraped', alert: 'DupwatchCoverageGap', width: 6, limits: [[1, 'red']], queries: [[`sum(${gaps} > bool 0)`, 'gaps']],
      description: 'Instances with a part of the log that was not seen and that no scan has checked yet. Good: 0.',
    }),
  ],
};

const worst = {
  title: 'Worst first',
  panels: [
    comparison({
      title: 'Instances, worst first', alert: 'DupwatchFatalFindings', view: 'severity=fatal&state=open', sortBy: 'Rank', details: 'dupwatch-overview',
      columns: [
        { title: 'Blind', expr: blind, texts: { 0: ['no', 'green'], 1: ['BLIND', 'red'] } },
        { title: 'Fatal', expr: fatal, limits: [[1, 'red']] },
        { title: 'Lost, 24 h', expr: lost, limits: [[1, 'red']] },
        { title: 'Gaps', expr: gaps, limits: [[1, 'red']] },
        { title: 'Conflicts', expr: conflicts, limits: [[1, 'orange']] },
        { title: 'Lag', expr: lag, unit: 's', limits: [[60, 'red']] },
        { title: 'WAL held', expr: retained, unit: 'bytes' },
        { title: 'Rank', expr: rank },
      ],
      description: 'Blind instances first, then by open fatal findings, runs lost, gaps and conflicts. An instance opens its overview. What is empty is not said by the instance.',
    }),
  ],
};

const overTime = {
  title: 'The worst over time',
  panels: [
    series({
      title: 'Open fatal findings', unit: 'short', alert: 'DupwatchFatalFindings', queries: [[`topk(10, ${fatal})`, '{{instance}}']],
      description: 'Of the ten instances with most of them. Good: 0.',
    }),
    series({
      title: 'Lag', unit: 's', alert: 'DupwatchLagHigh', limits: [[60, 'red']], queries: [[`topk(10, ${lag})`, '{{instance}}']],
      description: 'Age of the newest judged commit while behind, of the ten instances that are furthest behind. Good: 0.',
    }),
    series({
      title: 'WAL held by slots', unit: 'bytes', alert: 'DupwatchSlotWalHigh', queries: [[`topk(10, ${retained})`, '{{instance}}']],
      description: 'What the primaries keep on their disks for dupwatch, of the ten instances with most of it. Good: some tens of MiB.',
    }),
    series({
      title: 'New findings', unit: 'short', alert: 'DupwatchFatalBurst', bars: true, stack: true,
      queries: [[`topk(10, sum by (job, instance) (increase(${select('dupwatch_findings_total', 'origin="stream"')}[$__rate_interval])))`, '{{instance}}']],
      description: 'Findings of events as they committed, of any severity, of the ten instances with most of them.',
    }),
  ],
};

export const fleet = dashboard({
  uid: 'dupwatch-fleet', title: 'dupwatch / Fleet',
  description: 'Many databases with an instance of dupwatch each: which of them is worst.',
  links: [['Overview', 'dupwatch-overview'], ['Slot and internals', 'dupwatch-internals']],
  rows: [instances, worst, overTime],
});
