// The slot and what it holds back on the primary; then the stream, the index, the scans and the process.
import { dashboard, gauge, moved, quantile, rate, select, series, stat } from './panels.mjs';

const bySlot = (name) => `max by (instance, slot_name) (${select(name)})`;
const instances = (name) => [gauge(name), '{{instance}}'];

const slot = {
  title: 'Slot',
  panels: [
    stat({
      title: 'wal_status', unit: 'short', alert: 'DupwatchSlotLost', name: true, noValue: 'not known', limits: [],
      queries: [[`max by (wal_status) (${select('dupwatch_slot_wal_status')}) == 1`, '{{wal_status}}']],
      description: 'pg_replication_slots.wal_status. Good: reserved or extended. unreserved: the next checkpoint may drop WAL that dupwatch has not read; lost: it did.',
    }),
    stat({
      title: 'Retained WAL', unit: 'bytes', noValue: 'not scraped', alert: 'DupwatchSlotWalCritical', limits: [[2 * 1024 ** 3, 'orange'], [10 * 1024 ** 3, 'red']],
      queries: [[`max(${select('dupwatch_slot_retained_wal_bytes')})`, 'retained']],
      description: 'What the primary keeps for the slot, the largest of those chosen. Good: some tens of MiB.',
    }),
    stat({
      title: 'Room for WAL', unit: 'bytes', alert: 'DupwatchSlotSafeWalLow', noValue: 'no limit',
      queries: [[`min(${select('dupwatch_slot_safe_wal_bytes')})`, 'safe']],
      description: 'WAL that can still be written before the slot is lost. "no limit": max_slot_wal_keep_size is -1, and the slot can fill the disk.',
    }),
    stat({
      title: 'Retained in 4 h', unit: 'bytes', noValue: 'not scraped', alert: 'DupwatchSlotFillPredicted', limits: [[10 * 1024 ** 3, 'red']],
      queries: [[`clamp_min(max(predict_linear(${select('dupwatch_slot_retained_wal_bytes')}[30m], 14400)), 0)`, 'predicted']],
      description: 'Where the trend of the last 30 minutes leads. It means little in the first half hour after a start.',
    }),
    stat({
      title: 'Stream', unit: 'short', alert: 'DupwatchNotStreaming', name: true, noValue: 'not scraped', limits: [],
      queries: [[`max by (state) (${select('dupwatch_stream_state')}) == 1`, '{{state}}']],
      description: 'State of the stream. Good: streaming.',
    }),
    stat({
      title: 'Table', unit: 'short', alert: 'DupwatchTableChanged', texts: { 0: ['CHANGED', 'red'], 1: ['Unchanged', 'green'] },
      queries: [[`min(${select('dupwatch_table_identity_ok')}) or vector(0)`, 'table']],
      description: 'Whether the watched table and its publication are unchanged since streaming began. After a change Postgres may send nothing, without an error.',
    }),
    series({
      title: 'Retained and safe WAL', unit: 'bytes', ceilings: true, alert: 'DupwatchSlotWalHigh',
      queries: [[bySlot('dupwatch_slot_retained_wal_bytes'), 'retained {{instance}}'], [bySlot('dupwatch_slot_safe_wal_bytes'), 'safe {{instance}}']],
      description: 'What the slot holds back, and how much can still be written. The second line is missing where nothing limits the slot.',
    }),
    series({
      title: 'Lag in WAL', unit: 'bytes', alert: 'DupwatchLagHigh', queries: [instances('dupwatch_stream_lag_bytes')],
      description: 'WAL between the end of the server\'s and what dupwatch has confirmed. It grows in a large transaction and falls at its end.',
    }),
  ],
};

const stream = {
  title: 'Stream',
  panels: [
    series({
      title: 'Received', unit: 'Bps', alert: 'DupwatchStreamSilent', queries: [[rate('dupwatch_stream_received_bytes_total'), '{{instance}}']],
      description: 'Payload that the walsender sends. With a wal2json slot it has whole rows, with the publication only the keys.',
    }),
    series({
      title: 'Transactions and status updates', unit: 'eps', alert: 'DupwatchStreamSilent',
      queries: [[rate('dupwatch_stream_transactions_total'), 'transactions {{instance}}'], [rate('dupwatch_stream_status_updates_total'), 'status updates {{instance}}']],
      description: 'Status updates tell the server that dupwatch is alive and which WAL it may drop. Good: never 0.',
    }),
    series({
      title: 'Since the last message', unit: 's', alert: 'DupwatchStreamSilent', limits: [[120, 'red']],
      queries: [[`time() - max by (instance) (${select('dupwatch_stream_last_message_timestamp_seconds')} > 0)`, '{{instance}}']],
      description: 'Keepalives count. Good: some seconds. Past wal_sender_timeout the connection is dead.',
    }),
    series({
      title: 'Since the last heartbeat', unit: 's', alert: 'DupwatchHeartbeatStale', limits: [[120, 'red']],
      queries: [[`(time() - max by (instance) (${select('dupwatch_heartbeat_last_received_timestamp_seconds')})) * max by (instance) (${select('dupwatch_heartbeat_enabled')})`, '{{instance}}']],
      description: 'When a message of dupwatch\'s own last came back through the slot. It proves that changes come through. 0 where heartbeats are off.',
    }),
    series({
      title: 'Heartbeat round trip', unit: 's', alert: 'DupwatchHeartbeatStale',
      queries: [[quantile('0.5', 'dupwatch_heartbeat_roundtrip_seconds'), 'median'], [quantile('0.99', 'dupwatch_heartbeat_roundtrip_seconds'), 'p99']],
      description: 'Time from writing a heartbeat to its return; 0 where none returned. Good: some milliseconds; a large transaction delays it.',
    }),
    series({
      title: 'Disconnects and errors', unit: 'short', alert: 'DupwatchDecodeErrors', bars: true, stack: true,
      queries: [
        [moved(`sum by (reason) (increase(${select('dupwatch_stream_disconnects_total')}[$__rate_interval]))`, 'dupwatch_stream_disconnects_total', 'reason'), 'disconnect {{reason}}'],
        [moved(`sum by (reason) (increase(${select('dupwatch_decode_errors_total')}[$__rate_interval]))`, 'dupwatch_decode_errors_total', 'reason'), 'decode {{reason}}'],
        [`sum(increase(${select('dupwatch_heartbeat_failures_total')}[$__rate_interval]))`, 'heartbeat not written'],
      ],
      description: 'A restart of Postgres disconnects once. A message that cannot be decoded holds rows that were not checked: never good. A failed heartbeat write says nothing about the stream.',
    }),
    series({
      title: 'Rows seen again', unit: 'eps', alert: 'DupwatchNotStreaming',
      queries: [[rate('dupwatch_redeliveries_total'), '{{instance}}']],
      description: 'The same run and id again, which is not a duplicate: after a reconnect, or where a read-back was ahead of the stream.',
    }),
    series({
      title: 'Commit order versus id order', unit: 's', alert: 'DupwatchDetectionSlowBurn',
      queries: [[quantile('0.99', 'dupwatch_commit_order_inversion_seconds'), 'p99']],
      description: 'How much older an event\'s id is than the newest committed before it in its run. Replay reads by id, so what commits late is read early.',
    }),
  ],
};

const index = {
  title: 'Index and scans',
  panels: [
    series({
      title: 'Memory of the index', unit: 'bytes', ceilings: true, alert: 'DupwatchIndexNearLimit',
      queries: [[gauge('dupwatch_index_memory_bytes'), 'used {{instance}}'], [gauge('dupwatch_index_memory_limit_bytes'), 'limit {{instance}}']],
      description: 'Below the limit runs stay in memory; at the limit the least recently used leave and are read back when they continue. That costs queries, never a finding.',
    }),
    series({
      title: 'Runs and rows in the index', unit: 'short', alert: 'DupwatchIndexNearLimit',
      queries: [[gauge('dupwatch_index_runs'), 'runs {{instance}}'], [gauge('dupwatch_index_rows'), 'rows {{instance}}']],
      description: 'Ended runs leave after index.run_grace.',
    }),
    series({
      title: 'Runs that left the index', unit: 'eps', alert: 'DupwatchIndexThrashing',
      queries: [[rate('dupwatch_index_evictions_total', ['reason']), '{{reason}}']],
      description: 'By reason. Evictions for lack of memory mean that index.memory_max is too small for this load.',
    }),
    series({
      title: 'Read-backs', unit: 'ops', alert: 'DupwatchReadBackFailing',
      queries: [
        [rate('dupwatch_read_backs_total'), 'queries {{instance}}'], [rate('dupwatch_read_back_runs_total'), 'runs {{instance}}'],
        [rate('dupwatch_read_back_rows_total'), 'rows {{instance}}'], [rate('dupwatch_read_back_failures_total'), 'failures {{instance}}'],
      ],
      description: 'Runs that are not in the index are read from the table when they continue. Failures are retried; meanwhile those runs wait.',
    }),
    series({
      title: 'Runs waiting to be read back', unit: 'short', alert: 'DupwatchReadBackFailing', queries: [instances('dupwatch_read_back_pending_runs')],
      description: 'Good: near 0. After a start with many open runs it rises and falls.',
    }),
    series({
      title: 'Baseline scan', unit: 'short', ceilings: true, alert: 'DupwatchBaselineStalled',
      queries: [[gauge('dupwatch_baseline_runs'), 'judged {{instance}}'], [gauge('dupwatch_baseline_expected_runs'), 'expected {{instance}}']],
      description: 'Runs that the scan of the table has judged, and the estimate of how many there are (0: not known). The scan closes coverage gaps.',
    }),
    series({
      title: 'Pending findings', unit: 'short', width: 8, alert: 'DupwatchFindingsNotDurable',
      queries: [
        [gauge('dupwatch_findings_waiting'), 'for the table {{instance}}'],
        [`sum by (store) (increase(${select('dupwatch_findings_write_failures_total')}[$__rate_interval]))`, 'failed writes, {{store}}'],
        [gauge('dupwatch_webhook_waiting_findings'), 'for the webhook {{instance}}'],
        [`sum by (outcome) (increase(${select('dupwatch_webhook_findings_total', 'outcome!="delivered"')}[$__rate_interval]))`, 'webhook {{outcome}}'],
      ],
      description: 'Good: 0. While the file or the table refuses findings the slot waits; it never waits for the webhook.',
    }),
    series({
      title: 'Quarantine', unit: 'short', width: 8, alert: 'DupwatchQuarantineFailing', bars: true, stack: true,
      queries: [
        [moved(`sum by (outcome) (increase(${select('dupwatch_quarantine_findings_total')}[$__rate_interval]))`, 'dupwatch_quarantine_findings_total', 'outcome'), '{{outcome}}'],
        [`sum by (instance) (${select('dupwatch_quarantine_waiting_findings')})`, 'waiting {{instance}}'],
      ],
      description: 'Fatal rows that quarantine.mode applies to, by outcome. Nothing in observe mode, the default. Good: removed, and no failed or dropped.',
    }),
    series({
      title: 'Without the stream', unit: 'short', width: 8, alert: 'DupwatchPolling', bars: true, stack: true,
      queries: [
        [`sum(increase(${select('dupwatch_polls_total')}[$__rate_interval]))`, 'polls'],
        [`sum(increase(${select('dupwatch_slot_fuse_blown_total')}[$__rate_interval]))`, 'fuse blown'],
        [`sum(increase(${select('dupwatch_slot_lost_total')}[$__rate_interval]))`, 'slot lost'],
        [`sum(increase(${select('dupwatch_poison_rows_total')}[$__rate_interval]))`, 'row stepped over'],
      ],
      description: 'Good: 0. Polls are scans of the open runs while there is no slot; each of the others leaves a coverage gap that a scan closes.',
    }),
    stat({
      title: 'State of the scan', unit: 'short', width: 5, alert: 'DupwatchBaselineFailed', name: true, noValue: 'not scraped', limits: [],
      queries: [[`max by (state) (${select('dupwatch_baseline_state')}) == 1`, '{{state}}']],
      description: 'Good: complete, or running after a gap. failed: it is retried automatically.',
    }),
    stat({
      title: 'State of quarantine', unit: 'short', width: 5, alert: 'DupwatchQuarantineTripped', name: true, noValue: 'not scraped', limits: [],
      queries: [[`max by (state) (${select('dupwatch_quarantine_state')}) == 1`, '{{state}}']],
      description: 'Good: ready, or off where quarantine.mode is observe. tripped: it stopped itself; dupwatch quarantine resume lets it continue.',
    }),
    stat({
      title: 'Suppressed log lines', unit: 'short', noValue: 'not scraped', width: 5, decimals: 0, alert: 'DupwatchFatalBurst', limits: [[1, 'orange']],
      queries: [[`sum(increase(${select('dupwatch_findings_log_suppressed_total')}[$__range]))`, 'left out']],
      description: 'Findings that findings.log_rate_max kept out of the log in the selected time. findings.file and /api/findings have them.',
    }),
    stat({
      title: 'Findings changed', unit: 'short', noValue: 'not scraped', width: 5, decimals: 0, alert: 'DupwatchFatalFindings', limits: [],
      queries: [[`sum(increase(${select('dupwatch_finding_changes_total')}[$__range]))`, 'changed']],
      description: 'Findings reported again in the selected time because their severity, state or rows changed.',
    }),
    stat({
      title: 'Truncated', unit: 'short', noValue: 'not scraped', decimals: 0, alert: 'DupwatchTableChanged', limits: [[1, 'orange']],
      queries: [[`sum(increase(${select('dupwatch_table_truncates_total')}[$__range]))`, 'truncates']],
      description: 'How often the watched table was truncated in the selected time. Good: 0.',
    }),
  ],
};

const processRow = {
  title: 'Process',
  panels: [
    series({
      title: 'CPU', unit: 'percentunit', alert: 'DupwatchRestarting', width: 8, queries: [[rate('process_cpu_seconds_total'), '{{instance}}']],
      description: 'Share of one core.',
    }),
    series({
      title: 'Resident memory', unit: 'bytes', alert: 'DupwatchIndexNearLimit', width: 8,
      queries: [instances('process_resident_memory_bytes')],
      description: 'Mostly the index. Good: below index.memory_max plus some tens of MiB.',
    }),
    series({
      title: 'File descriptors', unit: 'percentunit', alert: 'DupwatchRestarting', width: 8,
      queries: [[`${gauge('process_open_fds')} / ${gauge('process_max_fds')}`, '{{instance}}']],
      description: 'Open descriptors as a share of the limit. At most four are database connections; the others are HTTP clients and files.',
    }),
  ],
};

export const internals = dashboard({
  uid: 'dupwatch-internals', title: 'dupwatch / Slot and internals',
  description: 'What dupwatch\'s slot retains on the primary, and the state of the stream, the index, the scans and the process.',
  links: [['Overview', 'dupwatch-overview']],
  rows: [slot, stream, index, processRow],
});
