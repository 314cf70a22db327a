// Is anything broken, can I trust that, since when; then what was found and how fast.
import { dashboard, gauge, moved, quantile, rate, select, series, stat, table } from './panels.mjs';

const open = (severity) => `sum(${select('dupwatch_open_findings', `severity="${severity}"`)})`;

const verdict = {
  title: 'Status',
  panels: [
    stat({
      title: 'Open fatal findings', unit: 'short', noValue: 'not scraped', alert: 'DupwatchFatalFindings', view: 'severity=fatal&state=open', queries: [[open('fatal'), 'fatal']], limits: [[1, 'red']],
      description: 'Runs in the log with a row on which the next replay fails. Good: 0. /api/findings names the runs, dupwatch explain RUN_ID shows one with the SQL that saves it. A 0 counts only while the panels to the right are green.',
    }),
    stat({
      title: 'Runs lost in 24 h', unit: 'short', noValue: 'not scraped', decimals: 0, alert: 'DupwatchRunsLost', view: 'rule=run_lost', limits: [[0.5, 'red']],
      queries: [[`sum(increase(${select('dupwatch_findings_total', 'rule="run_lost"', 'origin="stream"')}[1d]))`, 'lost']],
      description: 'Runs that failed after a fatal row. Good: 0. dupwatch explain RUN_ID prints how one can be revived.',
    }),
    stat({
      title: 'Health', unit: 'short', alert: 'DupwatchNotReady', limits: [], texts: { 0: ['BLIND', 'red'], 1: ['Watching', 'green'] },
      // An instance whose scrape fails has no dupwatch_ready and must count as blind.
      queries: [[`min(${select('dupwatch_ready')} or on (job, instance) (0 * ${select('up')})) or vector(0)`, 'ready']],
      description: 'Watching: every instance streams and has caught up. BLIND: at least one does not, or cannot be scraped, and its zeros mean nothing; /readyz says why.',
    }),
    stat({
      title: 'Open coverage gaps', unit: 'short', noValue: 'not scraped', alert: 'DupwatchCoverageGap', limits: [[1, 'red']],
      queries: [[`sum(${select('dupwatch_open_coverage_gaps')})`, 'gaps']],
      description: 'Parts of the log that were not seen and that no scan has checked yet. Good: 0. A scan starts automatically; while a gap is open, there may be duplicates dupwatch has not seen.',
    }),
    stat({
      title: 'Covered since', unit: 'dateTimeFromNow', alert: 'DupwatchCoverageGap', texts: { 0: ['Not complete', 'red'] },
      queries: [[`1000 * min(${select('dupwatch_coverage_complete_since_timestamp_seconds')}) or vector(0)`, 'since']],
      description: 'Since when coverage is complete: nothing has gone unseen. "Not complete": a gap is open, or nothing is scraped.',
    }),
    stat({
      title: 'Running since', unit: 'dateTimeFromNow', alert: 'DupwatchRestarting', texts: { 0: ['Not running', 'red'] },
      queries: [[`1000 * min(${select('process_start_time_seconds')}) or vector(0)`, 'start']],
      description: 'When the process that has been running longest was started. Counters begin at 0 at each start; blue marks show the starts.',
    }),
  ],
};

const findings = {
  title: 'Findings',
  panels: [
    series({
      title: 'New findings', unit: 'short', alert: 'DupwatchFatalBurst', bars: true, stack: true, severities: true,
      queries: [[`sum by (severity) (increase(${select('dupwatch_findings_total', 'origin="stream"')}[$__rate_interval]))`, '{{severity}}']],
      description: 'Findings of events as they committed, by severity. Harmless ones are the normal case where two processes run an affected version; fatal ones are not.',
    }),
    series({
      title: 'Open findings', unit: 'short', alert: 'DupwatchFatalFindings', severities: true,
      queries: [[`sum by (severity) (${select('dupwatch_open_findings')})`, '{{severity}}']],
      description: 'Findings whose rows are in the log of a run that has not ended, by severity. Good: no fatal and no conflict.',
    }),
    table({
      title: 'Open findings by rule', unit: 'short', alert: 'DupwatchConflicts', columns: { rule: 'Rule', severity: 'Severity', Value: 'Open' },
      queries: [[`sum by (rule, severity) (${select('dupwatch_open_findings')})`, '']],
      description: 'Every rule and severity that has open findings. config/rules has a page for each rule.',
    }),
    table({
      title: 'Findings in the selected time', unit: 'short', alert: 'DupwatchHarmlessDuplicates', columns: { rule: 'Rule', severity: 'Severity', origin: 'Origin', Value: 'New' },
      queries: [[`round(sum by (rule, severity, origin) (increase(${select('dupwatch_findings_total')}[$__range])))`, '']],
      description: 'New findings by rule, severity and origin. Origin scan: found by reading the table, after the fact. Steady harmless duplicates call for an upgrade of the engine.',
    }),
    series({
      title: 'Repeated work', unit: 'short', alert: 'DupwatchRepeatedWork', bars: true,
      queries: [[`sum by (kind) (increase(${select('dupwatch_repeated_work_total')}[$__rate_interval]))`, '{{kind}}']],
      description: 'Steps whose body was begun again without a recorded retry: what they do outside the log may have been done twice. No matter of replay.',
    }),
  ],
};

const detection = {
  title: 'Detection',
  panels: [
    series({
      title: 'From commit to finding', unit: 's', alert: 'DupwatchDetectionFastBurn', limits: [[1, 'red']],
      queries: [[quantile('0.5', 'dupwatch_commit_to_flag_seconds'), 'median'], [quantile('0.99', 'dupwatch_commit_to_flag_seconds'), 'p99']],
      description: 'Time from the commit of a duplicate, by the server\'s clock, to its finding. Objective: 99 % within 1 s. 0 while there is no new finding.',
    }),
    series({
      title: 'Events', unit: 'eps', alert: 'DupwatchStreamSilent', stack: true,
      queries: [[moved(rate('dupwatch_events_received_total', ['event_type']), 'dupwatch_events_received_total', 'event_type'), '{{event_type}}']],
      description: 'Rows of the event log received per second, by the types that came in the selected time. Nothing while workers are busy means that nothing is checked.',
    }),
    series({
      title: 'Lag', unit: 's', alert: 'DupwatchLagHigh', limits: [[60, 'red']],
      queries: [[gauge('dupwatch_stream_lag_seconds'), '{{instance}}']],
      description: 'Age of the newest judged commit while behind. Good: 0; a big transaction lifts it for a moment.',
    }),
    series({
      title: 'WAL retained by the slot', unit: 'bytes', alert: 'DupwatchSlotWalHigh',
      queries: [[`max by (instance, slot_name) (${select('dupwatch_slot_retained_wal_bytes')})`, '{{instance}} {{slot_name}}']],
      description: 'What the primary keeps on its disk for dupwatch. Good: some tens of MiB. The other dashboard has the details.',
    }),
  ],
};

export const overview = dashboard({
  uid: 'dupwatch-overview', title: 'dupwatch / Overview',
  description: 'Duplicate events in the workflow log: what is broken, whether dupwatch is watching, and since when.',
  links: [['Slot and internals', 'dupwatch-internals'], ['Fleet', 'dupwatch-fleet']],
  rows: [verdict, findings, detection],
});
