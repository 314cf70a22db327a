// The slot as dupwatch itself sees it. All of this is silent when dupwatch is dead: see exporters.mjs.
export const group = 'dupwatch-slot';

export const rules = [
  {
    name: 'DupwatchSlotWalHigh',
    uses: ['retainedWarning'],
    severity: 'warning',
    concern: 'slot',
    expr: (t) => `dupwatch_slot_retained_wal_bytes > ${t.retainedWarning}`,
    for: 'retainedWarningFor',
    summary: 'The slot retains a lot of WAL on the primary.',
    description: 'Slot {{ $labels.slot_name }} of {{ $labels.instance }} retains {{ $value | humanize1024 }}B.',
  },
  {
    name: 'DupwatchSlotWalCritical',
    uses: ['retainedCritical'],
    severity: 'critical',
    concern: 'slot',
    expr: (t) => `dupwatch_slot_retained_wal_bytes > ${t.retainedCritical}`,
    for: 'retainedCriticalFor',
    summary: 'The slot is filling the disk of the primary.',
    description: 'Slot {{ $labels.slot_name }} of {{ $labels.instance }} retains {{ $value | humanize1024 }}B. The database comes first: if it cannot catch up, drop the slot.',
  },
  {
    name: 'DupwatchSlotSafeWalLow',
    uses: ['safeLow'],
    severity: 'critical',
    concern: 'slot',
    expr: (t) => `dupwatch_slot_safe_wal_bytes < ${t.safeLow}`,
    for: 'safeLowFor',
    summary: 'The slot is about to be lost.',
    description: 'After {{ $value | humanize1024 }}B more of WAL the server gives up slot {{ $labels.slot_name }} of {{ $labels.instance }}, and what commits from then on is not seen.',
  },
  {
    name: 'DupwatchSlotFillPredicted',
    uses: ['fillHorizon', 'fillWindow'],
    severity: 'warning',
    concern: 'slot',
    expr: (t) => `predict_linear(dupwatch_slot_safe_wal_bytes[${t.fillWindow}], ${t.fillHorizon}) < 0`,
    for: 'fillFor',
    summary: 'The slot will be lost within hours if this goes on.',
    description: 'By the trend of the last {{ fillWindow }} slot {{ $labels.slot_name }} of {{ $labels.instance }} runs out of safe WAL within {{ fillHours }} h ({{ $value | humanize1024 }}B).',
  },
  {
    name: 'DupwatchSlotLost',
    severity: 'critical',
    concern: 'slot',
    expr: () => 'dupwatch_slot_wal_status{wal_status=~"unreserved|lost"} == 1',
    summary: 'The slot is lost, or will be at the next checkpoint.',
    description: 'Slot {{ $labels.slot_name }} of {{ $labels.instance }} is {{ $labels.wal_status }}: it needed WAL beyond max_slot_wal_keep_size. Only an audit finds what it missed.',
  },
  {
    name: 'DupwatchFuseBlown',
    uses: ['fuseWindow'],
    severity: 'critical',
    concern: 'slot',
    expr: (t) => `increase(dupwatch_slot_fuse_blown_total[${t.fuseWindow}]) > 0`,
    summary: 'dupwatch dropped its own slot because it retained too much WAL.',
    description: 'The slot of {{ $labels.instance }} reached slot.max_retained_wal and was dropped to spare the disk of the primary; times within {{ fuseWindow }}: about {{ $value | printf "%.0f" }}. Whatever held it back is still there.',
  },
  {
    name: 'DupwatchSlotUnbounded',
    severity: 'warning',
    concern: 'standing',
    // The safe size is absent when nothing limits it, and when the slot is lost.
    expr: () => `dupwatch_slot_retained_wal_bytes
unless on (job, instance, slot_name)
dupwatch_slot_safe_wal_bytes
unless on (job, instance, slot_name)
dupwatch_slot_wal_status{wal_status="lost"} == 1`,
    for: 'unboundedFor',
    summary: 'Nothing limits the WAL that the slot can retain.',
    description: 'max_slot_wal_keep_size is -1 on the server of {{ $labels.instance }}: slot {{ $labels.slot_name }} (now {{ $value | humanize1024 }}B) can fill its disk while dupwatch is down.',
  },
];
