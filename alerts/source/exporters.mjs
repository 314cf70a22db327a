// The slot as the database's own exporters see it: this works when dupwatch is dead, or gone and its slot forgotten.
// pg_* is postgres_exporter (collectors replication_slots and settings), cnpg_* CloudNativePG's default monitoring.
// An `or` of both, so that a server that has only one of them is covered.
export const group = 'dupwatch-slots-by-exporter';

const named = (s, more = '') => `{slot_name=~"${s.slots}"${more}}`;

export const rules = [
  {
    name: 'DupwatchSlotInactive',
    daemon: false,
    severity: 'critical',
    concern: 'slot',
    expr: (_t, s) => `pg_replication_slots_active${named(s)} == 0
or
cnpg_pg_replication_slots_active${named(s)} == 0`,
    for: 'inactiveFor',
    summary: 'Nothing is reading the slot of dupwatch, and it retains WAL.',
    description: 'Slot {{ $labels.slot_name }} on {{ $labels.instance }} is not active: dupwatch is down, cannot connect, or was removed without dupwatch drop.',
  },
  {
    name: 'DupwatchOrphanSlotRetention',
    daemon: false,
    uses: ['retainedCritical'],
    severity: 'critical',
    concern: 'slot',
    expr: (t, s) => `pg_replication_slots_pg_wal_lsn_diff${named(s)} > ${t.retainedCritical}
or
cnpg_pg_replication_slots_pg_wal_lsn_diff${named(s)} > ${t.retainedCritical}`,
    for: 'retainedCriticalFor',
    summary: 'The slot of dupwatch is filling the disk of the primary.',
    description: 'Slot {{ $labels.slot_name }} on {{ $labels.instance }} retains {{ $value | humanize1024 }}B. The database comes first: if it cannot catch up, drop the slot.',
  },
  {
    name: 'DupwatchOrphanSlotFillPredicted',
    daemon: false,
    uses: ['retainedCritical', 'fillHorizon', 'fillWindow'],
    severity: 'warning',
    concern: 'slot',
    // Of a server without a limit: when retention will be critical. The trend of a slot that somebody reads falls again.
    expr: (t, s) => `predict_linear(pg_replication_slots_pg_wal_lsn_diff${named(s)}[${t.fillWindow}], ${t.fillHorizon}) > ${t.retainedCritical}
or
predict_linear(cnpg_pg_replication_slots_pg_wal_lsn_diff${named(s)}[${t.fillWindow}], ${t.fillHorizon}) > ${t.retainedCritical}`,
    for: 'fillFor',
    summary: 'The slot of dupwatch will fill the disk within hours if this goes on.',
    description: 'By the trend of the last {{ fillWindow }} slot {{ $labels.slot_name }} on {{ $labels.instance }} will retain {{ $value | humanize1024 }}B in {{ fillHours }} h.',
  },
  {
    name: 'DupwatchOrphanSlotUnbounded',
    daemon: false,
    severity: 'warning',
    concern: 'standing',
    expr: (_t, s) => `pg_replication_slots_active${named(s)} >= 0
and on (job, instance)
pg_settings_max_slot_wal_keep_size_bytes == -1
or
cnpg_pg_replication_slots_active${named(s)} >= 0
and on (job, instance)
cnpg_pg_settings_setting{name="max_slot_wal_keep_size"} == -1`,
    for: 'unboundedFor',
    summary: 'Nothing limits the WAL that the slot of dupwatch can retain.',
    description: 'max_slot_wal_keep_size is -1 on {{ $labels.instance }}, and slot {{ $labels.slot_name }} (active: {{ $value }}) can fill its disk.',
  },
  {
    name: 'DupwatchOrphanSlotLost',
    daemon: false,
    severity: 'critical',
    concern: 'slot',
    expr: (_t, s) => `pg_replication_slots_wal_status${named(s, ',wal_status=~"unreserved|lost"')} == 1`,
    summary: 'The slot of dupwatch is lost, or will be at the next checkpoint.',
    description: 'Slot {{ $labels.slot_name }} on {{ $labels.instance }} is {{ $labels.wal_status }}. Only an audit finds what it missed.',
  },
];
