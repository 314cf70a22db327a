// When the alerts on a blind or late dupwatch fire, and when they do not.
const on = (instance) => `job="dupwatch",instance="${instance}"`;
const at = on('db1');
const labels = { job: 'dupwatch', instance: 'db1' };
const state = (name, instance = 'db1') => `dupwatch_baseline_state{${on(instance)},state="${name}"}`;

const beats = (received, enabled, connected, instance = 'db1') => ({
  [`dupwatch_heartbeat_last_received_timestamp_seconds{${on(instance)}}`]: received,
  [`dupwatch_heartbeat_enabled{${on(instance)}}`]: enabled,
  [`dupwatch_stream_connected{${on(instance)}}`]: connected,
});

/** Fires for db1 at each of `times`, quiet at each of `quiet`. */
const around = (quiet, times, description, more = {}) => [
  ...quiet.map((time) => [time, []]),
  ...times.map((time) => [time, [{ labels: { ...labels, ...more }, description }]]),
];

export const cases = [
  {
    alert: 'DupwatchAbsent',
    name: 'five minutes after the last sample',
    series: { [`dupwatch_build_info{${at},version="1"}`]: '1x5 stale', 'up{job="node",instance="db1"}': '1x20' },
    checks: [['5m', []], ['10m', []], ['11m', [{
      labels: { job: 'dupwatch' }, description: 'No target of job dupwatch exposes dupwatch_build_info: the log is not watched, or dupwatch is not scraped.',
    }]]],
  },
  {
    alert: 'DupwatchAbsent',
    name: 'a gap of four minutes is quiet',
    series: { [`dupwatch_build_info{${at},version="1"}`]: '1x3 stale _ _ 1x20' },
    checks: [['4m', []], ['6m', []], ['20m', []]],
  },
  {
    alert: 'DupwatchDown',
    name: 'five minutes without a scrape; other jobs are not ours',
    series: { [`up{${at}}`]: '1 0x20', 'up{job="node",instance="db1"}': '0x20' },
    checks: around(['0m', '5m'], ['6m'], 'up is 0 at db1: the process is gone or its HTTP server does not answer. Its slot retains WAL meanwhile.'),
  },
  { alert: 'DupwatchDown', name: 'up is quiet', series: { [`up{${at}}`]: '1 0 0 1x20' }, checks: [['20m', []]] },
  {
    alert: 'DupwatchNotStreaming',
    name: 'five minutes without a stream',
    series: { [`dupwatch_stream_connected{${at}}`]: '1 0x20' },
    checks: around(['0m', '5m'], ['6m'], 'dupwatch_stream_connected is 0 at db1: nothing that commits is seen. /readyz says why.'),
  },
  {
    alert: 'DupwatchNotStreaming',
    name: 'a failover of four minutes is quiet',
    series: { [`dupwatch_stream_connected{${at}}`]: '1 0 0 0 0 1x20' },
    checks: [['5m', []], ['10m', []]],
  },
  {
    alert: 'DupwatchNotStreaming',
    name: 'a standby is quiet as long as the other one streams',
    series: {
      [`dupwatch_stream_connected{${at}}`]: '0x40', [`dupwatch_stream_state{${at},state="standby"}`]: '1x40',
      [`dupwatch_stream_connected{${on('db2')}}`]: '1x10 stale', [`dupwatch_stream_state{${on('db2')},state="standby"}`]: '0x10 stale',
    },
    checks: around(['10m', '15m'], ['17m'], 'dupwatch_stream_connected is 0 at db1: nothing that commits is seen. /readyz says why.'),
  },
  {
    alert: 'DupwatchPolling',
    name: 'five minutes without a slot',
    series: { [`dupwatch_watch_mode{${at},mode="polling"}`]: '0 1x20', [`dupwatch_watch_mode{${at},mode="streaming"}`]: '1 0x20' },
    checks: around(['0m', '5m'], ['6m', '7m'], 'Mode is polling at db1: findings come late, and a run that begins and ends between two scans is not seen. /readyz says why.', { mode: 'polling' }),
  },
  {
    alert: 'DupwatchPolling',
    name: 'a slot that is back in four minutes, and streaming, are quiet',
    series: { [`dupwatch_watch_mode{${at},mode="polling"}`]: '0 1 1 1 1 0x20', [`dupwatch_watch_mode{${at},mode="streaming"}`]: '1 0 0 0 0 1x20' },
    checks: [['5m', []], ['20m', []]],
  },
  {
    alert: 'DupwatchNotReady',
    name: 'ten minutes not ready while it streams',
    series: { [`dupwatch_ready{${at}}`]: '1 0x30', [`dupwatch_stream_connected{${at}}`]: '1x31', [state('running')]: '0x31', [state('failed')]: '0x31' },
    checks: around(['10m'], ['11m'], 'dupwatch_ready is 0 at db1: it is behind, cannot read runs back, has no SQL connection, cannot write its findings, or the table changed. /readyz says which.'),
  },
  {
    alert: 'DupwatchNotReady',
    name: 'no stream, a baseline that runs and one that failed have their own alerts',
    series: {
      [`dupwatch_ready{${on('db1')}}`]: '0x40', [`dupwatch_stream_connected{${on('db1')}}`]: '0x40', [state('running', 'db1')]: '0x40',
      [`dupwatch_ready{${on('db2')}}`]: '0x40', [`dupwatch_stream_connected{${on('db2')}}`]: '1x40', [state('running', 'db2')]: '1x40',
      [`dupwatch_ready{${on('db3')}}`]: '0x40', [`dupwatch_stream_connected{${on('db3')}}`]: '1x40', [state('failed', 'db3')]: '1x40',
    },
    checks: [['15m', []], ['40m', []]],
  },
  {
    alert: 'DupwatchStreamSilent',
    name: 'two minutes are quiet, three are not',
    series: { [`dupwatch_stream_last_message_timestamp_seconds{${at}}`]: '0+60x5 300x20', [`dupwatch_stream_connected{${at}}`]: '1x30' },
    checks: around(['5m', '7m'], ['8m'], 'The last message at db1 came 3m 0s ago: a dead connection that looks alive, or an event loop that is stuck (/healthz then says so).'),
  },
  {
    alert: 'DupwatchStreamSilent',
    name: 'not yet heard, and not connected, are not silent',
    series: {
      [`dupwatch_stream_last_message_timestamp_seconds{${on('db1')}}`]: '0x30', [`dupwatch_stream_connected{${on('db1')}}`]: '1x30',
      [`dupwatch_stream_last_message_timestamp_seconds{${on('db2')}}`]: '60x30', [`dupwatch_stream_connected{${on('db2')}}`]: '0x30',
    },
    checks: [['20m', []]],
  },
  {
    alert: 'DupwatchHeartbeatStale',
    name: 'two minutes old for two minutes',
    series: beats('0+60x5 300x20', '1x30', '1x30'),
    checks: around(['7m', '9m'], ['10m'], 'The last heartbeat at db1 came back 5m 0s ago: what commits is not seen, or not yet.'),
  },
  {
    alert: 'DupwatchHeartbeatStale',
    name: 'one that is a minute late, one that is off, and one without a stream are quiet',
    series: {
      ...beats('0 0 0 0 240+60x30', '1x30', '1x30', 'db1'), ...beats('0x30', '0x30', '1x30', 'db2'), ...beats('0x30', '1x30', '0x30', 'db3'),
    },
    checks: [['4m', []], ['20m', []]],
  },
  {
    alert: 'DupwatchFindingsNotDurable',
    name: 'five minutes',
    series: { [`dupwatch_findings_durable{${at}}`]: '1 0x20' },
    checks: around(['0m', '5m'], ['6m'], 'dupwatch_findings_durable is 0 at db1: findings.file or findings.table refuses them. They are in the log; the slot retains WAL until they are written.'),
  },
  { alert: 'DupwatchFindingsNotDurable', name: 'four minutes are quiet', series: { [`dupwatch_findings_durable{${at}}`]: '1 0x3 1x20' }, checks: [['4m', []], ['12m', []]] },
  {
    alert: 'DupwatchTableChanged',
    name: 'two minutes',
    series: { [`dupwatch_table_identity_ok{${at}}`]: '1 0x20' },
    checks: around(['0m', '2m'], ['3m'], 'dupwatch_table_identity_ok is 0 at db1: after a rename, with a new table of the same name or a changed publication, events stop without an error. The log line with reason=table_changed says what was found.'),
  },
  { alert: 'DupwatchTableChanged', name: 'a rename and back is quiet', series: { [`dupwatch_table_identity_ok{${at}}`]: '1 0 1x20' }, checks: [['2m', []], ['5m', []]] },
  {
    alert: 'DupwatchDecodeErrors',
    name: 'one message, for a quarter of an hour',
    series: { [`dupwatch_decode_errors_total{${at},reason="truncated"}`]: '0 0 1x40', [`dupwatch_decode_errors_total{${at},reason="unknown"}`]: '0x40' },
    checks: around(['1m', '17m'], ['2m', '16m'], 'About 1 messages within 15m at db1, reason truncated. A scan of the open runs makes up for it.', { reason: 'truncated' }),
  },
  {
    alert: 'DupwatchDisagreement',
    name: 'one row, for a quarter of an hour',
    series: { [`dupwatch_witness_disagreements_total{${at},kind="deaf"}`]: '0 0 1x40', [`dupwatch_witness_disagreements_total{${at},kind="blind"}`]: '0x40' },
    checks: around(['1m', '17m'], ['2m', '16m'], 'About 1 rows within 15m at db1, kind deaf: deaf is a row that the stream never brought, blind one that a query does not show.', { kind: 'deaf' }),
  },
  {
    alert: 'DupwatchCoverageGap',
    name: 'half an hour without a scan that closes it',
    series: { [`dupwatch_open_coverage_gaps{${at},reason="slot_created"}`]: '0 1x40', [`dupwatch_open_coverage_gaps{${at},reason="first_start"}`]: '0x41' },
    checks: around(['0m', '30m'], ['31m'], 'A coverage gap is open at db1, reason slot_created: until a scan closes it, there may be duplicates dupwatch has not seen. /api/status has its positions.', { reason: 'slot_created' }),
  },
  { alert: 'DupwatchCoverageGap', name: 'a gap that a scan closes is quiet', series: { [`dupwatch_open_coverage_gaps{${at},reason="slot_created"}`]: '0 1x20 0x40' }, checks: [['20m', []], ['55m', []]] },
  {
    alert: 'DupwatchBaselineFailed',
    name: 'a quarter of an hour',
    series: { [state('failed')]: '0 1x40' },
    checks: around(['15m'], ['16m'], 'The baseline scan is in state failed at db1 and is tried again. New rows are judged; older duplicates may be missed until it succeeds.', { state: 'failed' }),
  },
  { alert: 'DupwatchBaselineFailed', name: 'running and complete are quiet', series: { [state('running')]: '1x40', [state('complete')]: '1x40', [state('failed')]: '0x40' }, checks: [['30m', []]] },
  {
    alert: 'DupwatchBaselineStalled',
    name: 'half an hour without one more run',
    series: { [`dupwatch_baseline_runs{${at}}`]: '0+10x10 100x60', [state('running')]: '1x80' },
    checks: around(['39m'], ['40m'], 'No run was judged within 30m at db1 (runs judged: 0). A query may wait for a lock.'),
  },
  {
    alert: 'DupwatchBaselineStalled',
    name: 'a scan that ended, one that began later, and a process that began later',
    series: {
      [`dupwatch_baseline_runs{${on('db1')}}`]: '100x80', [state('running', 'db1')]: '0x80',
      [`dupwatch_baseline_runs{${on('db2')}}`]: '0x80', [state('running', 'db2')]: '0x20 1x60',
      [`dupwatch_baseline_runs{${on('db3')}}`]: '_x20 0x60', [state('running', 'db3')]: '_x20 1x60',
    },
    checks: [['25m', []], ['49m', []]],
  },
  {
    alert: 'DupwatchLagHigh',
    name: 'above a minute for five',
    series: { [`dupwatch_stream_lag_seconds{${at}}`]: '0 61x20', [`dupwatch_stream_lag_seconds{${on('db2')}}`]: '60x20' },
    checks: around(['5m'], ['6m'], 'db1 is 1m 1s behind: findings are that late, and the slot retains WAL.'),
  },
  {
    alert: 'DupwatchWebhookFailing',
    name: 'a finding that the receiver refused',
    series: { [`dupwatch_webhook_findings_total{${at},outcome="refused"}`]: '0 0 1x80', [`dupwatch_webhook_findings_total{${at},outcome="delivered"}`]: '0 5 9x80' },
    checks: around(['1m', '62m'], ['2m', '60m'], 'About 1 within 1h at db1, outcome refused. They are in the log and at /api/findings; the stream does not wait for the webhook.', { outcome: 'refused' }),
  },
  { alert: 'DupwatchWebhookFailing', name: 'everything taken is quiet', series: { [`dupwatch_webhook_findings_total{${at},outcome="refused"}`]: '3x80', [`dupwatch_webhook_findings_total{${at},outcome="delivered"}`]: '0 5 9x80' }, checks: [['5m', []], ['70m', []]] },
  {
    alert: 'DupwatchReadBackFailing',
    name: 'failures while runs wait',
    series: { [`dupwatch_read_back_failures_total{${at}}`]: '0 0 1x60', [`dupwatch_read_back_pending_runs{${at}}`]: '0 3x60' },
    checks: around(['6m', '17m'], ['7m', '16m'], 'About 1 failed queries within 15m at db1, and runs wait. Their findings wait too, and so does the slot.'),
  },
  {
    alert: 'DupwatchReadBackFailing',
    name: 'repeated and won, or waiting without a failure',
    series: {
      [`dupwatch_read_back_failures_total{${on('db1')}}`]: '0 0 1x60', [`dupwatch_read_back_pending_runs{${on('db1')}}`]: '0x60',
      [`dupwatch_read_back_failures_total{${on('db2')}}`]: '1x60', [`dupwatch_read_back_pending_runs{${on('db2')}}`]: '9x60',
    },
    checks: [['10m', []], ['16m', []]],
  },
];
