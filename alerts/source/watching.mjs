// Whether dupwatch looks at all: without these a zero among the findings means nothing.
export const group = 'dupwatch-watching';

export const rules = [
  {
    name: 'DupwatchAbsent',
    severity: 'critical',
    concern: 'blind',
    scope: 'job',
    daemon: false,
    expr: (_t, s) => `absent(dupwatch_build_info{job="${s.job}"})`,
    for: 'absentFor',
    summary: 'Prometheus has no metrics of dupwatch.',
    description: 'No target of job {{ $labels.job }} exposes dupwatch_build_info: the log is not watched, or dupwatch is not scraped.',
  },
  {
    name: 'DupwatchDown',
    daemon: false,
    severity: 'critical',
    concern: 'blind',
    expr: (_t, s) => `up{job="${s.job}"} == 0`,
    for: 'downFor',
    summary: 'Prometheus cannot scrape dupwatch.',
    description: 'up is {{ $value }} at {{ $labels.instance }}: the process is gone or its HTTP server does not answer. Its slot retains WAL meanwhile.',
  },
  {
    name: 'DupwatchNotStreaming',
    severity: 'critical',
    concern: 'blind',
    // A standby streams nothing as long as another instance of its job does.
    expr: () => `dupwatch_stream_connected == 0
unless on (job, instance)
(dupwatch_stream_state{state="standby"} == 1 and on (job) dupwatch_stream_connected == 1)`,
    for: 'notStreamingFor',
    summary: 'dupwatch is running, but no replication stream is open.',
    description: 'dupwatch_stream_connected is {{ $value }} at {{ $labels.instance }}: nothing that commits is seen. /readyz says why.',
  },
  {
    name: 'DupwatchPolling',
    severity: 'warning',
    concern: 'gap',
    expr: () => 'dupwatch_watch_mode{mode="polling"} == 1',
    for: 'pollingFor',
    summary: 'dupwatch has no slot and polls the open runs instead.',
    description: 'Mode is {{ $labels.mode }} at {{ $labels.instance }}: findings come late, and a run that begins and ends between two scans is not seen. /readyz says why.',
  },
  {
    name: 'DupwatchNotReady',
    severity: 'critical',
    concern: 'blind',
    // Not streaming and a baseline that runs or failed have alerts of their own; while existing rows are judged, the
    // stream is judged as well.
    expr: () => `dupwatch_ready == 0
and on (job, instance)
dupwatch_stream_connected == 1
unless on (job, instance)
dupwatch_baseline_state{state=~"running|failed"} == 1`,
    for: 'notReadyFor',
    summary: 'dupwatch is streaming, but does not judge events in time.',
    description: 'dupwatch_ready is {{ $value }} at {{ $labels.instance }}: it is behind, cannot read runs back, has no SQL connection, cannot write its findings, or the table changed. /readyz says which.',
  },
  {
    name: 'DupwatchStreamSilent',
    uses: ['silent'],
    severity: 'critical',
    concern: 'blind',
    // The event loop writes this time, so one that is stuck shows here too. 0 is "not yet", which is not streaming.
    expr: (t) => `time() - (dupwatch_stream_last_message_timestamp_seconds > 0) > ${t.silent}
and on (job, instance)
dupwatch_stream_connected == 1`,
    summary: 'The stream is open, but nothing has been heard from the server.',
    description: 'The last message at {{ $labels.instance }} came {{ $value | humanizeDuration }} ago: a dead connection that looks alive, or an event loop that is stuck (/healthz then says so).',
  },
  {
    name: 'DupwatchHeartbeatStale',
    uses: ['heartbeatStale'],
    severity: 'critical',
    concern: 'blind',
    // Without a stream there is no heartbeat either, and that has an alert of its own.
    expr: (t) => `time() - dupwatch_heartbeat_last_received_timestamp_seconds > ${t.heartbeatStale}
and on (job, instance)
dupwatch_heartbeat_enabled == 1
and on (job, instance)
dupwatch_stream_connected == 1`,
    for: 'heartbeatFor',
    summary: 'The stream is open, but messages written to the database do not come through it.',
    description: 'The last heartbeat at {{ $labels.instance }} came back {{ $value | humanizeDuration }} ago: what commits is not seen, or not yet.',
  },
  {
    name: 'DupwatchTableChanged',
    severity: 'critical',
    concern: 'blind',
    expr: () => 'dupwatch_table_identity_ok == 0',
    for: 'identityFor',
    summary: 'The watched table or its publication has changed.',
    description: 'dupwatch_table_identity_ok is {{ $value }} at {{ $labels.instance }}: after a rename, with a new table of the same name or a changed publication, events stop without an error. The log line with reason=table_changed says what was found.',
  },
  {
    name: 'DupwatchDisagreement',
    uses: ['decodeWindow'],
    severity: 'critical',
    concern: 'blind',
    expr: (t) => `sum by (job, instance, database, kind) (increase(dupwatch_witness_disagreements_total[${t.decodeWindow}])) > 0`,
    summary: 'The stream and the watched table do not show the same rows.',
    description: 'About {{ $value | printf "%.0f" }} rows within {{ decodeWindow }} at {{ $labels.instance }}, kind {{ $labels.kind }}: deaf is a row that the stream never brought, blind one that a query does not show.',
  },
  {
    name: 'DupwatchDecodeErrors',
    uses: ['decodeWindow'],
    severity: 'warning',
    concern: 'gap',
    expr: (t) => `sum by (job, instance, database, reason) (increase(dupwatch_decode_errors_total[${t.decodeWindow}])) > 0`,
    summary: 'Messages of the watched table could not be decoded, and their rows were not checked.',
    description: 'About {{ $value | printf "%.0f" }} messages within {{ decodeWindow }} at {{ $labels.instance }}, reason {{ $labels.reason }}. A scan of the open runs makes up for it.',
  },
  {
    name: 'DupwatchCoverageGap',
    severity: 'warning',
    concern: 'gap',
    expr: () => 'sum by (job, instance, database, reason) (dupwatch_open_coverage_gaps) > 0',
    for: 'gapFor',
    summary: 'Commits may have been missed, and no scan has caught up yet.',
    description: 'A coverage gap is open at {{ $labels.instance }}, reason {{ $labels.reason }}: until a scan closes it, there may be duplicates dupwatch has not seen. /api/status has its positions.',
  },
  {
    name: 'DupwatchBaselineFailed',
    severity: 'warning',
    concern: 'gap',
    expr: () => 'dupwatch_baseline_state{state="failed"} == 1',
    for: 'baselineFailedFor',
    summary: 'Not all rows from before the start could be judged.',
    description: 'The baseline scan is in state {{ $labels.state }} at {{ $labels.instance }} and is tried again. New rows are judged; older duplicates may be missed until it succeeds.',
  },
  {
    name: 'DupwatchBaselineStalled',
    uses: ['baselineStall'],
    severity: 'warning',
    concern: 'gap',
    // Running for the whole window, and not one more run judged in it.
    expr: (t) => `changes(dupwatch_baseline_runs[${t.baselineStall}]) == 0
and on (job, instance)
min_over_time(dupwatch_baseline_state{state="running"}[${t.baselineStall}]) == 1
and on (job, instance)
dupwatch_baseline_runs offset ${t.baselineStall}`,
    summary: 'The baseline scan is running but makes no progress.',
    description: 'No run was judged within {{ baselineStall }} at {{ $labels.instance }} (runs judged: {{ $value }}). A query may wait for a lock.',
  },
  {
    name: 'DupwatchLagHigh',
    uses: ['lag'],
    severity: 'warning',
    concern: 'late',
    expr: (t) => `dupwatch_stream_lag_seconds > ${t.lag}`,
    for: 'lagFor',
    summary: 'dupwatch is behind the server.',
    description: '{{ $labels.instance }} is {{ $value | humanizeDuration }} behind: findings are that late, and the slot retains WAL.',
  },
  {
    name: 'DupwatchFindingsNotDurable',
    severity: 'warning',
    concern: 'slot',
    expr: () => 'dupwatch_findings_durable == 0',
    for: 'notDurableFor',
    summary: 'Findings cannot be written, and the slot waits for them.',
    description: 'dupwatch_findings_durable is {{ $value }} at {{ $labels.instance }}: findings.file or findings.table refuses them. They are in the log; the slot retains WAL until they are written.',
  },
  {
    name: 'DupwatchWebhookFailing',
    uses: ['webhookWindow'],
    severity: 'warning',
    concern: 'findings',
    expr: (t) => `sum by (job, instance, database, outcome) (increase(dupwatch_webhook_findings_total{outcome!="delivered"}[${t.webhookWindow}])) > 0`,
    summary: 'Findings were not delivered to the webhook.',
    description: 'About {{ $value | printf "%.0f" }} within {{ webhookWindow }} at {{ $labels.instance }}, outcome {{ $labels.outcome }}. They are in the log and at /api/findings; the stream does not wait for the webhook.',
  },
  {
    name: 'DupwatchReadBackFailing',
    uses: ['readBackWindow'],
    severity: 'warning',
    concern: 'late',
    expr: (t) => `increase(dupwatch_read_back_failures_total[${t.readBackWindow}]) > 0
and on (job, instance)
dupwatch_read_back_pending_runs > 0`,
    for: 'readBackFor',
    summary: 'Runs cannot be read back from the table.',
    description: 'About {{ $value | printf "%.0f" }} failed queries within {{ readBackWindow }} at {{ $labels.instance }}, and runs wait. Their findings wait too, and so does the slot.',
  },
];
