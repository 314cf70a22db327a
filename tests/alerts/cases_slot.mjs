// When the alerts on the slot fire, by dupwatch's own metrics and by those of the exporters, and when they do not.
const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const on = (instance, more = '') => `job="dupwatch",instance="${instance}",slot_name="dupwatch"${more}`;
const own = (instance) => `job="dupwatch",instance="${instance}"`;
const labels = { job: 'dupwatch', instance: 'db1', slot_name: 'dupwatch' };
const retained = (instance) => `dupwatch_slot_retained_wal_bytes{${on(instance)}}`;
const safe = (instance) => `dupwatch_slot_safe_wal_bytes{${on(instance)}}`;
const status = (instance, value) => `dupwatch_slot_wal_status{${on(instance, `,wal_status="${value}"`)}}`;

const exported = { job: 'postgres', instance: 'pg1', slot_name: 'dupwatch', database: 'app' };
const cnpg = { job: 'cnpg', instance: 'pod1', slot_name: 'dupwatch', slot_type: 'logical', database: 'app' };
const series = (name, of, over = {}) => `${name}{${Object.entries({ ...of, ...over }).map(([key, value]) => `${key}="${value}"`).join(',')}}`;
const target = ({ job, instance }) => ({ job, instance });

/** Both exporters fire at `times`, neither at `quiet`. */
const both = (quiet, times, describe) => [
  ...quiet.map((time) => [time, []]),
  ...times.map((time) => [time, [exported, cnpg].map((of) => ({ labels: of, description: describe(of.instance) }))]),
];
const fires = (description, more = {}) => [{ labels: { ...labels, ...more }, description }];
const soon = (left) => fires(`By the trend of the last 30m slot dupwatch of db1 runs out of safe WAL within 4 h (${left}).`);
const DIFF = 'pg_replication_slots_pg_wal_lsn_diff';
const ACTIVE = 'pg_replication_slots_active';
const LIMIT = 'pg_settings_max_slot_wal_keep_size_bytes';
const other = { slot_name: 'standby_1', instance: 'pg9' };

export const cases = [
  {
    alert: 'DupwatchSlotWalHigh',
    name: 'above 2 GiB for ten minutes',
    series: { [retained('db1')]: `0 ${2 * GiB + 1}x20`, [retained('db2')]: `${2 * GiB}x21` },
    checks: [['10m', []], ['11m', fires('Slot dupwatch of db1 retains 2GiB.')]],
  },
  {
    alert: 'DupwatchSlotWalCritical',
    name: 'above 10 GiB for two minutes',
    series: { [retained('db1')]: `0 ${10 * GiB + 1}x20`, [retained('db2')]: `${10 * GiB}x21` },
    checks: [['2m', []], ['3m', fires('Slot dupwatch of db1 retains 10GiB. The database comes first: if it cannot catch up, drop the slot.')]],
  },
  {
    alert: 'DupwatchSlotSafeWalLow',
    name: 'less than 1 GiB left for two minutes',
    series: { [safe('db1')]: `${2 * GiB} ${GiB - MiB}x20`, [safe('db2')]: `${GiB}x21` },
    checks: [['2m', []], ['3m', fires('After 1023MiB more of WAL the server gives up slot dupwatch of db1, and what commits from then on is not seen.')]],
  },
  {
    alert: 'DupwatchSlotFillPredicted',
    name: 'falls below nothing within four hours; db2 does not',
    series: { [safe('db1')]: `${200 * MiB}-${MiB}x40`, [safe('db2')]: `${300 * MiB}-${MiB}x40` },
    checks: [['10m', []], ['11m', soon('-51MiB')]],
  },
  {
    alert: 'DupwatchSlotFillPredicted',
    name: 'half an hour is looked at: sixteen flat minutes do not end it, forty-five do',
    series: { [safe('db1')]: `${1000 * MiB}-${30 * MiB}x30 ${100 * MiB}x60` },
    checks: [['46m', soon('-3.177GiB')], ['75m', []]],
  },
  {
    alert: 'DupwatchSlotLost',
    name: 'unreserved or lost; extended is not',
    series: { [status('db1', 'unreserved')]: '0 0 1x10', [status('db1', 'extended')]: '1x20', [status('db2', 'lost')]: '0x10' },
    checks: [['1m', []], ['2m', fires(
      'Slot dupwatch of db1 is unreserved: it needed WAL beyond max_slot_wal_keep_size. Only an audit finds what it missed.', { wal_status: 'unreserved' },
    )]],
  },
  {
    alert: 'DupwatchSlotLost',
    name: 'lost',
    series: { [status('db1', 'lost')]: '0 1x10' },
    checks: [['0m', []], ['1m', fires('Slot dupwatch of db1 is lost: it needed WAL beyond max_slot_wal_keep_size. Only an audit finds what it missed.', { wal_status: 'lost' })]],
  },
  {
    alert: 'DupwatchFuseBlown',
    name: 'one, for an hour',
    series: { [`dupwatch_slot_fuse_blown_total{${own('db1')}}`]: '0 0 1x150', [`dupwatch_slot_fuse_blown_total{${own('db2')}}`]: '3x150' },
    checks: [
      ...['1m', '62m'].map((time) => [time, []]),
      ...['2m', '60m'].map((time) => [time, [{
        labels: { job: 'dupwatch', instance: 'db1' },
        description: 'The slot of db1 reached slot.max_retained_wal and was dropped to spare the disk of the primary; times within 1h: about 1. Whatever held it back is still there.',
      }]]),
    ],
  },
  {
    alert: 'DupwatchSlotUnbounded',
    name: 'without a safe size; with one, or lost, it is not',
    series: {
      [retained('db1')]: '2048x100', [status('db1', 'lost')]: '0x100',
      [retained('db2')]: '2048x100', [safe('db2')]: '5000x100',
      [retained('db3')]: '2048x100', [status('db3', 'lost')]: '1x100',
    },
    checks: [['59m', []], ['60m', fires('max_slot_wal_keep_size is -1 on the server of db1: slot dupwatch (now 2kiB) can fill its disk while dupwatch is down.')]],
  },

  // From here on there is no series of dupwatch itself: it is dead, or gone.
  {
    alert: 'DupwatchSlotInactive',
    name: 'ten minutes without a reader; slots of others are not ours',
    series: {
      [series(ACTIVE, exported)]: '1 0x20', [series(`cnpg_${ACTIVE}`, cnpg)]: '1 0x20',
      [series(ACTIVE, exported, other)]: '0x20', [series(`cnpg_${ACTIVE}`, cnpg, other)]: '0x20',
    },
    checks: both(['0m', '10m'], ['11m'], (instance) => `Slot dupwatch on ${instance} is not active: dupwatch is down, cannot connect, or was removed without dupwatch drop.`),
  },
  {
    alert: 'DupwatchSlotInactive',
    name: 'a restart of nine minutes is quiet',
    series: { [series(ACTIVE, exported)]: '1 0x8 1x20' },
    checks: [['9m', []], ['20m', []]],
  },
  {
    alert: 'DupwatchOrphanSlotRetention',
    name: 'above 10 GiB for two minutes',
    series: {
      [series(DIFF, exported)]: `0 ${10 * GiB + 1}x20`, [series(`cnpg_${DIFF}`, cnpg)]: `0 ${10 * GiB + 1}x20`,
      [series(DIFF, exported, { instance: 'pg2' })]: `${10 * GiB}x20`, [series(`cnpg_${DIFF}`, cnpg, { instance: 'pod2' })]: `${10 * GiB}x20`,
      [series(DIFF, exported, other)]: `${90 * GiB}x20`,
    },
    checks: both(['2m'], ['3m'], (instance) => `Slot dupwatch on ${instance} retains 10GiB. The database comes first: if it cannot catch up, drop the slot.`),
  },
  {
    alert: 'DupwatchOrphanSlotFillPredicted',
    name: '50 MiB a minute reach 10 GiB within four hours, 30 do not',
    series: {
      [series(DIFF, exported)]: `0+${50 * MiB}x40`, [series(`cnpg_${DIFF}`, cnpg)]: `0+${50 * MiB}x40`,
      [series(DIFF, exported, { instance: 'pg2' })]: `0+${30 * MiB}x40`, [series(`cnpg_${DIFF}`, cnpg, { instance: 'pod2' })]: `0+${30 * MiB}x40`,
      [series(DIFF, exported, other)]: `0+${90 * MiB}x40`,
    },
    checks: both(['10m'], ['11m'], (instance) => `By the trend of the last 30m slot dupwatch on ${instance} will retain 12.26GiB in 4 h.`),
  },
  {
    alert: 'DupwatchOrphanSlotFillPredicted',
    name: 'half an hour is looked at: sixteen flat minutes do not end it, forty-five do',
    series: { [series(DIFF, exported)]: `0+${200 * MiB}x30 ${6000 * MiB}x60`, [series(`cnpg_${DIFF}`, cnpg)]: `0+${200 * MiB}x30 ${6000 * MiB}x60` },
    checks: both(['75m'], ['46m'], (instance) => `By the trend of the last 30m slot dupwatch on ${instance} will retain 27.69GiB in 4 h.`),
  },
  {
    alert: 'DupwatchOrphanSlotUnbounded',
    name: 'a server without a limit; one with a limit, and one without our slot, are quiet',
    series: {
      [series(ACTIVE, exported)]: '1x100', [series(LIMIT, target(exported))]: '-1x100',
      [series(ACTIVE, exported, { instance: 'pg2' })]: '1x100', [series(LIMIT, target(exported), { instance: 'pg2' })]: `${GiB}x100`,
      [series(ACTIVE, exported, other)]: '1x100', [series(LIMIT, target(exported), { instance: 'pg9' })]: '-1x100',
      [series(`cnpg_${ACTIVE}`, cnpg)]: '1x100', [series('cnpg_pg_settings_setting', target(cnpg), { name: 'max_slot_wal_keep_size' })]: '-1x100',
      [series(`cnpg_${ACTIVE}`, cnpg, { instance: 'pod2' })]: '1x100',
      [series('cnpg_pg_settings_setting', target(cnpg), { instance: 'pod2', name: 'max_slot_wal_keep_size' })]: '1024x100',
    },
    checks: both(['59m'], ['60m'], (instance) => `max_slot_wal_keep_size is -1 on ${instance}, and slot dupwatch (active: 1) can fill its disk.`),
  },
  {
    alert: 'DupwatchOrphanSlotLost',
    name: 'unreserved or lost; reserved, and slots of others, are quiet',
    series: Object.fromEntries([['pg1', 'dupwatch', 'lost'], ['pg2', 'dupwatch', 'reserved'], ['pg3', 'standby_1', 'lost'], ['pg4', 'dupwatch', 'unreserved']]
      .map(([instance, slot, value]) => [`pg_replication_slots_wal_status{job="postgres",instance="${instance}",slot_name="${slot}",slot_type="logical",wal_status="${value}"}`, '_ 1x10'])),
    checks: [['0m', []], ['1m', [['pg1', 'lost'], ['pg4', 'unreserved']].map(([instance, value]) => ({
      labels: { job: 'postgres', instance, slot_name: 'dupwatch', slot_type: 'logical', wal_status: value },
      description: `Slot dupwatch on ${instance} is ${value}. Only an audit finds what it missed.`,
    }))]],
  },
];
