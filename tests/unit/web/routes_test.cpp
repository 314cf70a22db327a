#include "daemon/web/routes.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "daemon/web/verdict.hpp"
#include "tests/unit/web/samples.hpp"

namespace dupwatch::web::routes_test {
namespace {

constexpr StatusStore::Clock::time_point kNow{std::chrono::seconds{1000}};

class Routes : public testing::Test {
 protected:
  Response get(std::string_view path, std::string_view query = "", std::string_view method = "GET") {
    return respond({.method = method, .path = path, .query = query}, store_, profile_, kNow);
  }

  core::Profile profile_ = core::workflow_devkit_profile();
  StatusStore store_{250};
};

TEST_F(Routes, HealthFollowsTheEventLoop) {
  EXPECT_EQ(get("/healthz").status, 503);
  store_.beat(kNow - std::chrono::seconds{9});
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(get("/healthz").body, "ok\n");
  store_.beat(kNow - std::chrono::seconds{11});
  EXPECT_EQ(get("/healthz").status, 503);
}

TEST_F(Routes, ReadinessSaysWhyNot) {
  EXPECT_EQ(get("/readyz").status, 503);
  EXPECT_EQ(get("/readyz").body, "starting\n");
  auto status = streaming();
  status.ready = false;
  status.not_ready_reason = "the slot is held by another connection";
  store_.publish(status);
  EXPECT_EQ(get("/readyz").body, "the slot is held by another connection\n");
  store_.publish(streaming());
  EXPECT_EQ(get("/readyz").status, 200);
}

TEST_F(Routes, AStrangerIsToldWhetherAndNotWhy) {
  auto status = streaming();
  status.ready = false;
  status.not_ready_reason = "no SQL connection: host db-7.internal does not answer";
  const auto stranger = [&](std::string_view path) {
    return respond({.method = "GET", .path = path, .query = "", .known = false}, store_, profile_, kNow);
  };
  EXPECT_EQ(stranger("/startupz").status, 503);
  EXPECT_EQ(stranger("/startupz").body, "not started\n");
  store_.publish(status);
  EXPECT_EQ(stranger("/readyz").status, 503);
  EXPECT_EQ(stranger("/readyz").body, "not ready\n");
  EXPECT_EQ(get("/readyz").body, "no SQL connection: host db-7.internal does not answer\n");
  store_.publish(streaming());
  EXPECT_EQ(stranger("/readyz").status, 200);
}

TEST_F(Routes, TheProbesAreTheThreePathsAlone) {
  for (const auto* path : {"/healthz", "/readyz", "/startupz"}) EXPECT_TRUE(is_probe(path)) << path;
  for (const auto* path : {"/", "/metrics", "/readyz/", "/readyz/x", "//readyz", "/READYZ", "/api/status",
                           "/api/events", "/app.js", "/-/reload", ""}) {
    EXPECT_FALSE(is_probe(path)) << path;
  }
}

TEST_F(Routes, StartupIsOverWithTheFirstStream) {
  EXPECT_EQ(get("/startupz").status, 503);
  EXPECT_EQ(get("/startupz").body, "starting\n");
  store_.publish(streaming());
  EXPECT_EQ(get("/startupz").status, 200);
  auto status = streaming();
  status.state = core::StreamState::kBackingOff;
  status.ready = false;
  store_.publish(status);
  EXPECT_EQ(get("/startupz").status, 200);
  EXPECT_EQ(get("/startupz").body, "started\n");
}

TEST_F(Routes, StatusIsOneObject) {
  store_.beat(kNow);
  auto status = streaming();
  status.findings.open[0] = {1, 0, 2, 0};
  status.server.version = "15.14 (\"Debian\")\n";
  status.coverage.gaps = {{.reason = core::GapReason::kFirstStart,
                           .from = {},
                           .to = decoder::Lsn{16},
                           .opened = {1'000'000},
                           .closed = decoder::Timestamp{2'000'000}}};
  status.coverage.complete_since = decoder::Timestamp{2'000'000};
  store_.publish(status);
  EXPECT_EQ(
      get("/api/status").body,
      R"({"verdict":"1 fatal finding: its run will fail on its next replay. )"
      R"(Watching since 1970-01-01 00:00 UTC, coverage complete.",)"
      R"("remedy":"Open a finding below, and run the command that it shows: it says what can be done.",)"
      R"("level":"fatal","state":"streaming","mode":"streaming","ready":true,"reason":"",)"
      R"("slot":"dupwatch","plugin":"pgoutput","server_version":"15.14 (\"Debian\")\n",)"
      R"x("engine":"auto (ULIDs v4, slots v5)",)x"
      R"("system_identifier":"7576531234567890123","timeline":1,"confirmed_lsn":"1/0","received_lsn":"1/10",)"
      R"("server_lsn":"1/20","lag_bytes":32,"lag_seconds":0.000000,"runs":0,"rows":0,"index_bytes":0,)"
      R"("index_bytes_max":0,"findings_open":3,"findings_fatal":1,"findings_acknowledged":0,"slot_retained_bytes":null,"slot_safe_bytes":null,"slot_wal_status":"","table_identity_ok":true,)"
      R"("coverage":{"complete_since":"1970-01-01T00:00:02.000000Z","gaps":[{"reason":"first_start",)"
      R"("from_lsn":null,"to_lsn":"0/10","opened_at":"1970-01-01T00:00:01.000000Z",)"
      R"("closed_at":"1970-01-01T00:00:02.000000Z"}]},"schema":{"releases":"","changes":[]},)"
      R"("repeated_work":{"steps_total":0,"steps":[]},)"
      R"("engine_tables":{"hook_token":null,"silent_wait":null,"given_up_job":null,"queue_jobs":null,"rows":[]},)"
      R"("order_watch":{"enabled":false,"rows":0,"behind":0,"needed_seconds":)"
      R"({"0.5":0.000000,"0.99":0.000000,"0.999":0.000000,"1":0.000000}},)"
      R"("heartbeat":{"enabled":false,"last_sent":null,"last_returned":null,"failures":0},)"
      R"("webhook":{"enabled":false,"delivered":0,"refused":0,"expired":0,"dropped":0,)"
      R"("failed_attempts":0,"waiting":0},)"
      R"("quarantine":{"mode":"observe","state":"off","reason":"","removed":0,"recorded":0,"dry_run":0,)"
      R"("already":0,"refused":0,"failed":0,"dropped":0,"failed_attempts":0,"waiting":0},)"
      R"("baseline":{"state":"not_needed","rows":0,"runs":0,"runs_total":null},"version":"0.1.0"})");
}

TEST_F(Routes, UnknownPositionsAreNull) {
  EXPECT_NE(get("/api/status").body.find(R"("confirmed_lsn":null)"), std::string::npos);
}

TEST_F(Routes, FindingsAreTheNewestFirstWithTheTotal) {
  EXPECT_EQ(get("/api/findings").body,
            R"({"findings":[],"runs":[],"total":0,"kept":0,"dropped":0,"matched":0,"next":null})");
  for (std::uint64_t id = 1; id <= 150; ++id) store_.add(finding(id));
  const auto count = [&](std::string_view query) {
    const auto body = get("/api/findings", query).body;
    std::size_t found = 0;
    for (auto at = body.find("\"finding_id\""); at != std::string::npos;
         at = body.find("\"finding_id\"", at + 1)) {
      ++found;
    }
    return found;
  };
  EXPECT_EQ(count(""), 100U);
  EXPECT_EQ(count("limit=1"), 1U);
  EXPECT_EQ(count("limit=250"), 150U);
  EXPECT_EQ(count("&limit=7&"), 7U);
  const auto body = get("/api/findings", "limit=2").body;
  EXPECT_LT(body.find("run_150"), body.find("run_149"));
  EXPECT_TRUE(body.ends_with(fmt::format(
      R"(],"total":150,"kept":150,"dropped":0,"matched":150,"next":"{}-0-150-3-149"}})", store_.origin())))
      << body;
}

TEST_F(Routes, ABadLimitIsRefused) {
  for (const auto* query : {"limit=0", "limit=251", "limit=", "limit=-1", "limit=+1", "limit=1x", "limit= 1",
                            "limit=1.0", "limit=99999999999999999999", "limit"}) {
    const auto response = get("/api/findings", query);
    EXPECT_EQ(response.status, 400) << query;
    EXPECT_EQ(response.body, R"({"error":"limit: expected a whole number from 1 to 250"})") << query;
  }
  EXPECT_EQ(get("/api/findings", "limit=1&limit=2").body, R"({"error":"limit is given twice"})");
}

TEST_F(Routes, AFilterSaysHowManyItHides) {
  for (std::uint64_t id = 1; id <= 5; ++id) {
    auto added = finding(id);
    added.severity = id <= 2 ? core::Severity::kFatal : core::Severity::kHarmless;
    store_.add(added);
  }
  const auto body = get("/api/findings", "severity=fatal&state=open&limit=1").body;
  EXPECT_NE(body.find(R"("finding_id":"0000000000000002")"), std::string::npos) << body;
  EXPECT_NE(body.find(R"("kept":5,"dropped":0,"matched":2,"next":")"), std::string::npos) << body;
}

TEST_F(Routes, OneFindingAndOneRunHaveAPathOfTheirOwn) {
  store_.add(finding(0x1f));
  EXPECT_EQ(get("/api/findings/000000000000001f").body, core::to_json(*store_.find(0x1f)));
  EXPECT_EQ(get("/api/findings/000000000000001e").status, 404);
  EXPECT_EQ(get("/api/findings/1f").status, 400);
  EXPECT_EQ(get("/api/findings/").status, 400);
  EXPECT_EQ(get("/api/findings/000000000000001f", "limit=1").status, 400);
  const auto run = get("/api/runs/run_31");
  EXPECT_EQ(run.status, 200);
  EXPECT_TRUE(run.body.starts_with(R"({"run_id":"run_31","kept":1,"open":{"fatal":0,"conflict":0,)"
                                   R"("harmless":0,"unknown":1},"findings":[{"event":"finding")"))
      << run.body;
  EXPECT_TRUE(run.body.ends_with(R"(],"look":"dupwatch explain run_31"})")) << run.body;
  EXPECT_EQ(get("/api/runs/run_32").status, 404);
  EXPECT_EQ(get("/api/runs/").status, 404);
  EXPECT_EQ(get("/api/runs/run_31", "x").status, 400);
}

TEST_F(Routes, ARunHasItsCountsWhateverTheFilterHides) {
  for (std::uint64_t id = 1; id <= 4; ++id) {
    auto added = finding(id);
    added.run_id = id == 4 ? "run_b" : "run_a";
    added.severity = id == 1 ? core::Severity::kFatal : core::Severity::kHarmless;
    if (id == 3) added.state = core::FindingState::kGone;
    store_.add(added);
  }
  const auto body = get("/api/findings", "severity=fatal").body;
  EXPECT_NE(
      body.find(
          R"("runs":[{"run_id":"run_a","kept":3,"open":{"fatal":1,"conflict":0,"harmless":1,"unknown":0}}],)"),
      std::string::npos)
      << body;
}

TEST_F(Routes, ARunOfManyFindingsIsAnsweredInPart) {
  StatusStore store{5000};
  for (std::uint64_t id = 1; id <= 1001; ++id) {
    auto added = finding(id);
    added.run_id = "run_long";
    if (id == 1) added.severity = core::Severity::kFatal;
    store.add(added);
  }
  const auto body =
      respond({.method = "GET", .path = "/api/runs/run_long", .query = ""}, store, profile_, kNow).body;
  EXPECT_TRUE(body.starts_with(R"({"run_id":"run_long","kept":1001,)")) << body.substr(0, 100);
  EXPECT_NE(body.find(R"("finding_id":"0000000000000001")"), std::string::npos) << "the fatal one is there";
  EXPECT_EQ(body.find(R"("finding_id":"0000000000000002")"), std::string::npos) << "the oldest other is not";
}

TEST_F(Routes, OnlyGetAndHeadAreAllowed) {
  for (const auto* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", ""}) {
    EXPECT_EQ(get("/metrics", "", method).status, 405) << method;
  }
  EXPECT_EQ(get("/metrics", "", "HEAD").status, 200);
}

TEST_F(Routes, EverythingElseIsNotFound) {
  for (const auto* path :
       {"", "/metrics/", "/Metrics", "/api", "/api/", "/../etc/passwd", "/index.html", "//"}) {
    EXPECT_EQ(get(path).status, 404) << path;
  }
}

TEST_F(Routes, ThePageEscapesWhatTheDatabaseSays) {
  auto hostile = finding(1);
  hostile.run_id = "<script>alert(1)</script>";
  hostile.severity = core::Severity::kFatal;
  store_.add(hostile);
  auto past = finding(2);
  past.severity = core::Severity::kFatal;
  past.state = core::FindingState::kRunEnded;
  store_.add(past);
  auto status = streaming();
  status.ready = false;
  status.not_ready_reason = "<b>";
  store_.publish(status);
  store_.beat(kNow);
  const auto page = get("/").body;
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;alert(1)&lt;/script&gt;"), std::string::npos);
  EXPECT_NE(page.find("dupwatch explain -- &#39;&lt;script&gt;"), std::string::npos);
  EXPECT_NE(page.find("Not watching: &lt;b&gt;."), std::string::npos);
  EXPECT_NE(page.find("<li class=\"finding fatal\">"), std::string::npos);
  EXPECT_NE(page.find("<li class=\"finding past\">"), std::string::npos);
}

TEST_F(Routes, ThePageBeginsWithWhatIsFatalAndKeepsARunTogether) {
  for (std::uint64_t id = 1; id <= 4; ++id) {
    auto added = finding(id);
    added.run_id = id % 2 == 1 ? "run_odd" : "run_even";
    added.severity = id == 1 ? core::Severity::kFatal : core::Severity::kHarmless;
    store_.add(added);
  }
  const auto page = get("/").body;
  EXPECT_LT(page.find("run_odd</bdi></h3>"), page.find("run_even</bdi></h3>"));
  EXPECT_EQ(page.find("run_odd</bdi></h3>"), page.rfind("run_odd</bdi></h3>")) << "one head a run";
}

TEST_F(Routes, AnEmptyListMeansNothingWhileBlind) {
  EXPECT_NE(get("/").body.find("dupwatch is not watching: there may be some"), std::string::npos);
  store_.publish(streaming());
  store_.beat(kNow);
  EXPECT_NE(get("/").body.find(">None so far.<"), std::string::npos);
}

TEST_F(Routes, ThePageLoadsNothingButItsOwnFiles) {
  const auto page = get("/").body;
  EXPECT_EQ(page.find("http"), std::string::npos);
  EXPECT_EQ(page.find('@'), std::string::npos) << "a placeholder is left";
  EXPECT_EQ(page.find("style="), std::string::npos);
  EXPECT_EQ(page.find("onclick"), std::string::npos);
  EXPECT_NE(page.find("<script src=\"app.js\" type=\"module\"></script>"), std::string::npos);
  EXPECT_EQ(get("/app.js").content_type, "text/javascript; charset=utf-8");
  for (const auto* name :
       {"acknowledge", "app", "finding", "format", "list", "state", "status", "timeline"}) {
    const auto script = get(fmt::format("/{}.js", name));
    EXPECT_EQ(script.status, 200) << name;
    EXPECT_EQ(script.body.find("innerHTML"), std::string::npos) << name;
  }
  EXPECT_EQ(get("/app.css").status, 200);
  EXPECT_EQ(get("/icon.svg").content_type, "image/svg+xml");
}

TEST(Verdict, BlindnessComesFirst) {
  auto status = streaming();
  status.coverage.complete_since = decoder::Timestamp{0};
  const std::string watching = "Watching since 1970-01-01 00:00 UTC, coverage complete";
  EXPECT_EQ(judge(status, true).sentence, watching + ", 0 fatal findings.");
  EXPECT_EQ(judge(status, true).level, Verdict::Level::kOk);
  status.findings.open[1] = {0, 1, 0, 0};
  EXPECT_EQ(judge(status, true).sentence, watching + ", 0 fatal findings, 1 open finding.");
  EXPECT_EQ(judge(status, true).level, Verdict::Level::kFindings);
  status.findings.open[core::kRules - 1] = {2, 0, 1, 1};
  EXPECT_EQ(judge(status, true).sentence,
            "2 fatal findings: their runs will fail on their next replay. " + watching + ".");
  EXPECT_EQ(judge(status, true).level, Verdict::Level::kFatal);
  EXPECT_NE(judge(status, true).remedy, "");
  EXPECT_EQ(judge(status, false).level, Verdict::Level::kBlind);
  EXPECT_NE(judge(status, false).remedy, "");
  status.ready = false;
  status.not_ready_reason = "the server does not answer";
  status.state = core::StreamState::kBackingOff;
  EXPECT_EQ(judge(status, true).level, Verdict::Level::kBlind);
  EXPECT_NE(judge(status, true).remedy.find("retries automatically"), std::string::npos);
  EXPECT_EQ(judge(status, true).sentence,
            "Not watching: the server does not answer. 5 open findings so far.");
}

TEST(Verdict, EveryLevelHasItsWord) {
  EXPECT_EQ(to_string(Verdict::Level::kOk), "ok");
  EXPECT_EQ(to_string(Verdict::Level::kFindings), "findings");
  EXPECT_EQ(to_string(Verdict::Level::kFatal), "fatal");
  EXPECT_EQ(to_string(Verdict::Level::kBlind), "blind");
}

}  // namespace
}  // namespace dupwatch::web::routes_test
