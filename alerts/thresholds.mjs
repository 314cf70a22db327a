// Every number of the alert rules, with its reason: the one place to change them. `./generate` then writes
// the rule files. Durations are strings as Prometheus writes them; bytes and seconds are numbers.
const GiB = 1024 ** 3;

/** What depends on the site: names and addresses. */
export const settings = {
  // The job label under which Prometheus scrapes dupwatch. absent() and up need it to be one name.
  job: 'dupwatch',
  // A regular expression for slot.name of every dupwatch on the server, for the rules on other exporters' metrics.
  slots: 'dupwatch.*',
  // The daemon's own page, which has the runbooks too; Prometheus puts the target in.
  page: 'http://{{ $labels.instance }}',
  // Where else the runbooks are, {name} being an alert's; undefined: the daemon's own page has them.
  runbook: undefined,
  // The overview in Grafana; undefined: no link.
  dashboard: undefined,
};

export const thresholds = {
  // Findings
  hold: { value: '5m', why: 'a fatal run is dead after half a second (measured median), so a gauge alone would miss it between two scrapes; and a restart, which judges open runs again, must not resolve the alert. The alert ends this much late' },
  pendingGrace: { value: '2m', why: 'a run with nothing open may return before it meets its fatal row: of 61 such runs 15 did. Whether it does shows within seconds; one that fails pages as a lost run' },
  newWindow: { value: '1h', why: 'a run that is lost, or an outcome that was dropped, is news that somebody should still find when they look up from other work' },
  burst: { value: 20, why: 'two a minute. Measured races gave 4 fatal rows in 60 runs where no process was stopped, and 195 in 120 runs where processes were stopped again and again' },
  burstWindow: { value: '10m', why: 'longer than two rollouts of a worker overlap' },
  harmlessWindow: { value: '1d', why: 'one standing warning: a quiet night must not end it and the morning raise it again' },
  harmlessFor: { value: '15m', why: 'it can wait, and an upgrade of the engine that has just ended it should not raise it' },
  repeatedRate: { value: 20, why: 'some of a rollout of three processes that are killed with steps in hand; what stays above it is no rollout' },
  repeatedWindow: { value: '1h', why: 'a rate per hour, so that one rollout counts once' },
  repeatedFor: { value: '2h', why: 'a rollout and its rollback are out of the window by then' },
  engineTablesFor: { value: '15m', why: 'a deployment that disposes of its hooks, or a person who is at it, is done by then' },
  wakeupsRate: { value: 0.5, why: 'one run that is woken about once a second, as it was reported, is above it' },
  wakeupsRatio: { value: 5, why: 'a healthy run of 4.2.4 and 4.8.9 takes 0.75 to 0.9 jobs an event, so this is no rhythm of work' },
  wakeupsWindow: { value: '15m', why: 'a burst of starts is an even rate over it' },
  wakeupsFor: { value: '30m', why: 'a rollout that enqueues all open runs again is over by then' },

  // Not looking
  absentFor: { value: '5m', why: 'a pod that moves to another node is back by then' },
  downFor: { value: '5m', why: 'five missed scrapes at one a minute: no blip' },
  notStreamingFor: { value: '5m', why: 'ten attempts at connection.backoff_max (30s): a restart or failover of Postgres is over' },
  notReadyFor: { value: '10m', why: 'catching up after a restart is over by then; dupwatch itself calls a lag of 30 s not ready' },
  silent: { value: 120, why: 'twice the default of wal_sender_timeout (60s), after which the server ends a connection that is dead' },
  heartbeatStale: { value: 120, why: 'twice heartbeat.timeout (60s), by when a stream that brings nothing has been restarted' },
  heartbeatFor: { value: '2m', why: 'a stream that was restarted gets a message through by then; a large transaction takes longer, and then nothing is seen either' },
  identityFor: { value: '2m', why: 'a migration that renames the table and puts it back in one go is over' },
  decodeWindow: { value: '15m', why: 'one message is enough, and its rows were not checked; it stands long enough to be seen' },
  gapFor: { value: '30m', why: 'the scan that closes a gap starts automatically, and half an hour is what it gets before it counts as stalled' },
  baselineFailedFor: { value: '15m', why: 'the scan is retried automatically' },
  baselineStall: { value: '30m', why: 'the scan reads runs in short queries; half an hour without one more is no slow disk' },
  lag: { value: 60, why: 'twice the lag at which /readyz says no (30 s)' },
  lagFor: { value: '5m', why: 'one large transaction is decoded by then' },
  notDurableFor: { value: '5m', why: 'a failover of Postgres is over, and the attempts are at most ten seconds apart' },
  quarantineWindow: { value: '1h', why: 'a row that was left is not tried again, so it should be found when somebody looks' },
  quarantineUnavailableFor: { value: '5m', why: 'a restart of the server is over by then' },
  webhookWindow: { value: '1h', why: 'what was given up is not sent again, so it should be found when somebody looks' },
  readBackWindow: { value: '15m', why: 'failed queries are repeated within seconds, so old failures need not stand' },
  readBackFor: { value: '5m', why: 'as long as a restart or failover of Postgres may take' },

  // The index and the process
  indexFull: { value: 0.9, why: 'it tells before the evictions begin' },
  indexFullFor: { value: '15m', why: 'ended runs leave after index.run_grace (60s), so a short peak passes on its own' },
  turnover: { value: 1, why: 'as many runs evicted as the index holds: it was replaced once, and each cold run costs a query' },
  turnoverWindow: { value: '15m', why: 'the same quarter of an hour as for a full index' },
  restarts: { value: 3, why: 'a rollout with its rollback is two; from the fourth on it is a loop' },
  restartWindow: { value: '1h', why: 'a supervisor that doubles its pause up to five minutes still restarts four times in it' },

  reloadFailedFor: { value: '5m', why: 'whoever is editing the file has corrected a slip by then' },

  // The latency objective
  budget: { value: 0.01, why: 'the objective: 99 % of findings within 1 s of the commit. A usual finding takes milliseconds, and the scrape that shows it some 15 s' },
  fastBurn: { value: 14.4, why: 'two days of a budget of 30 days, spent in an hour (the SRE workbook)' },
  slowBurn: { value: 6, why: 'a twentieth of a budget of 30 days, spent in six hours (the SRE workbook)' },
  burnFindings: { value: 10, why: 'with fewer findings one slow one is a large share and says nothing' },

  // The slot
  retainedWarning: { value: 2 * GiB, why: 'twice the default of max_wal_size: more than checkpoints explain' },
  retainedWarningFor: { value: '10m', why: 'a burst of writes is decoded and confirmed by then' },
  retainedCritical: { value: 10 * GiB, why: 'ten times the default of max_wal_size: set it to what the disk of your primary can spare' },
  retainedCriticalFor: { value: '2m', why: 'little slack: the disk of the primary is at stake' },
  safeLow: { value: GiB, why: '64 segments of 16 MiB: one default max_wal_size of writes, and the slot is lost' },
  safeLowFor: { value: '2m', why: 'little slack: a lost slot is a hole in what was checked' },
  fillHorizon: { value: 14400, why: 'four hours: time enough to act without waking anybody early' },
  fillWindow: { value: '30m', why: 'a trend, not one checkpoint' },
  fillFor: { value: '10m', why: 'the trend has to last' },
  fuseWindow: { value: '1h', why: 'one is enough, and it is to be seen when the pause until the next slot, some minutes, is over' },
  pollingFor: { value: '5m', why: 'a slot that is recreated after a first loss never polls that long' },
  unboundedFor: { value: '1h', why: 'a setting, no incident' },
  inactiveFor: { value: '10m', why: 'longer than DupwatchDown and DupwatchNotStreaming take, so those name the cause first' },
};
