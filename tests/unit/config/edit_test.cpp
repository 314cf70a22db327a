#include "daemon/config/edit.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "daemon/config/document.hpp"
#include "daemon/config/keys.hpp"
#include "daemon/config/text_file.hpp"

namespace dupwatch::config::edit_test {
namespace {

const Environment kEnvironment = [](std::string_view name) {
  return name == "HOST" ? std::optional<std::string>("db") : std::nullopt;
};

std::variant<std::string, std::vector<ConfigProblem>> set(std::string_view text,
                                                          const std::vector<Setting>& settings) {
  return set_values(text, "d.yaml", settings, kEnvironment);
}

std::string changed(std::string_view text, const std::vector<Setting>& settings) {
  auto result = set(text, settings);
  if (const auto* problems = std::get_if<std::vector<ConfigProblem>>(&result)) {
    for (const auto& problem : *problems) ADD_FAILURE() << format_problem(problem);
    return {};
  }
  return std::get<std::string>(std::move(result));
}

std::string refused(std::string_view text, const std::vector<Setting>& settings) {
  const auto result = set(text, settings);
  const auto* problems = std::get_if<std::vector<ConfigProblem>>(&result);
  if (problems == nullptr) return "taken: " + std::get<std::string>(result);
  std::string out;
  for (const auto& problem : *problems) out += format_problem(problem) + '\n';
  return out;
}

core::Config config_of(const std::string& text) {
  auto result = parse_config(text, "d.yaml", kEnvironment);
  EXPECT_TRUE(std::holds_alternative<core::Config>(result)) << text;
  return std::holds_alternative<core::Config>(result) ? std::get<core::Config>(std::move(result))
                                                      : core::Config{};
}

std::string reference() {
  std::ostringstream text;
  text << std::ifstream(std::string{DUPWATCH_SOURCE_DIR} + "/config/dupwatch.yaml").rdbuf();
  return text.str();
}

std::size_t lines_that_differ(const std::string& one, const std::string& other) {
  std::istringstream left(one);
  std::istringstream right(other);
  std::size_t count = 0;
  for (std::string a, b; std::getline(left, a) && std::getline(right, b);) count += a == b ? 0U : 1U;
  return std::ranges::count(one, '\n') == std::ranges::count(other, '\n') ? count : count + 2;
}

TEST(SetValues, ChangesTheValueAndNothingElseOnItsLine) {
  EXPECT_EQ(changed("# mine\nslot:\n  name: old   # why\n  plugin: auto\n", {{"slot.name", "other"}}),
            "# mine\nslot:\n  name: other   # why\n  plugin: auto\n");
  EXPECT_EQ(changed("connection:\n  dsn: \"host=a # b\"\n", {{"connection.dsn", "host=c dbname='x y'"}}),
            "connection:\n  dsn: \"host=c dbname='x y'\"\n");
  EXPECT_EQ(changed("connection:\n  dsn: 'it''s' # kept\n", {{"connection.dsn", "host=${HOST}"}}),
            "connection:\n  dsn: \"host=${HOST}\" # kept\n");
  EXPECT_EQ(changed("engine: v4\r\nprofile: workflow-devkit\r\n", {{"engine", "v5"}}),
            "engine: v5\r\nprofile: workflow-devkit\r\n");
}

TEST(SetValues, GivesAKeyWithoutAValueOne) {
  EXPECT_EQ(
      changed("slot:\n  name: # none yet\n  plugin:\n", {{"slot.plugin", "pgoutput"}, {"slot.name", "a"}}),
      "slot:\n  name: a # none yet\n  plugin: pgoutput\n");
}

TEST(SetValues, PutsWhatIsMissingWhereItBelongs) {
  EXPECT_EQ(changed("", {{"slot.name", "a"}}), "slot:\n  name: a\n");
  EXPECT_EQ(changed("", {{"engine", "v4"}}), "engine: v4\n");
  EXPECT_EQ(changed("slot:\n  name: a", {{"http.basic_auth.user", "u"}, {"http.basic_auth.password", "p w"}}),
            "slot:\n  name: a\n\nhttp:\n  basic_auth:\n    password: \"p w\"\n    user: u\n");
  EXPECT_EQ(changed("slot:\n    name: a\nengine: v4\n", {{"slot.plugin", "pgoutput"}}),
            "slot:\n    plugin: pgoutput\n    name: a\nengine: v4\n")
      << "as deep as its neighbours";
  EXPECT_EQ(
      changed("slot:\n  name: a\n  # plugin: auto\n  # more\nengine: v4\n", {{"slot.plugin", "pgoutput"}}),
      "slot:\n  name: a\n  # plugin: auto\n  plugin: pgoutput\n  # more\nengine: v4\n")
      << "below the comment that names it";
  EXPECT_EQ(changed("table:\n# engine: v4\nengine: v5\n", {{"table.name", "a.b"}}),
            "table:\n  name: a.b\n# engine: v4\nengine: v5\n");
}

TEST(SetValues, TakesListsAndMapsInOneLine) {
  const auto text = changed("profile: generic\n", {{"table.name", "public.events"},
                                                   {"table.run_column", "run"},
                                                   {"table.id_column", "id"},
                                                   {"table.identity_columns", "[kind]"},
                                                   {"table.type_column", "type"},
                                                   {"table.types", "[a, \"b: c\"]"},
                                                   {"table.closing", "{z: [a]}"}});
  EXPECT_EQ(config_of(text).profile.types.size(), 3U) << text;
  EXPECT_EQ(config_of(changed("", {{"http.listen", "[::1]:9788"}})).http.host, "::1")
      << "brackets that are text";
}

TEST(SetValues, SetsEveryKeyOfTheReferenceAndKeepsItsComments) {
  const auto text = reference();
  Problems problems{"reference"};
  const auto root = read_document(text, problems);
  ASSERT_TRUE(problems.empty());
  std::size_t keys = 0;
  for (const auto& section : root.items) {
    for (const auto& item : section.items) {
      if (item.kind != ConfigNode::Kind::kScalar) continue;
      const auto key = section.key + '.' + item.key;
      EXPECT_LE(lines_that_differ(text, changed(text, {{key, item.text}})), 1U) << key;
      ++keys;
    }
  }
  EXPECT_GT(keys, 50U);
  for (const auto& [key, value, line] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"connection.dsn", "host=a dbname=b", "\n  dsn: \"host=a dbname=b\"\n"},
           {"table.name", "a.b", "\n  # name: workflow.workflow_events\n  name: a.b\n"},
           {"rules.orphan", "off", "\n  orphan: off\n"}}) {
    const auto other = changed(text, {{key, value}});
    EXPECT_NE(other.find(line), std::string::npos) << key;
    EXPECT_EQ(std::ranges::count(other, '#'), std::ranges::count(text, '#')) << key;
  }
}

TEST(SetValues, RefusesWhatTheParserWouldRefuseAndSaysAllAtOnce) {
  EXPECT_EQ(refused("slot:\n  name: a\n", {{"slot.nam", "b"}, {"slot", "b"}, {"slot.plugin", "x"}}),
            "d.yaml: slot.nam: found no such key, expected a key of dupwatch.yaml(5)\n"
            "d.yaml: slot: found a section, expected one of its keys\n");
  EXPECT_EQ(refused("slot:\n  name: a\n", {{"slot.plugin", "x"}, {"slot.name", "B"}}).find("d.yaml:2:"), 0U);
  EXPECT_NE(refused("", {{"slot.plugin", "x"}}).find("d.yaml:2:11: slot.plugin: found \"x\""),
            std::string::npos);
  EXPECT_NE(refused("slot: [", {{"slot.name", "a"}}).find("d.yaml:1:"), std::string::npos);
  EXPECT_NE(refused("profile: generic\n", {{"engine", "v4"}}).find("table"), std::string::npos)
      << "what else is wrong is told";
}

TEST(SetValues, LeavesAloneWhatItCannotChangeAlone) {
  for (const auto* text : {R"({"slot": {"name": "a", "plugin": "auto"}})", "slot: {name: a, plugin: auto}\n",
                           "slot:\n  name: >-\n    a\n  plugin: auto\n", "slot:\n  name: \"a\\\n    b\"\n"}) {
    EXPECT_NE(refused(text, {{"slot.name", "b"}}).find("write it into the file with an editor"),
              std::string::npos)
        << text;
  }
  EXPECT_NE(refused("slot: {name: a}\n", {{"slot.plugin", "auto"}}).find("with an editor"),
            std::string::npos);
  EXPECT_NE(refused("profile: generic\ntable:\n  types:\n    - a\n    - b\n", {{"table.types", "[c]"}})
                .find("with an editor"),
            std::string::npos);
}

class ReplaceFile : public testing::Test {
 protected:
  ReplaceFile() { std::filesystem::create_directory(folder_); }
  ~ReplaceFile() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] static mode_t mode(const std::string& path) {
    struct stat facts {};
    EXPECT_EQ(stat(path.c_str(), &facts), 0) << path;
    return facts.st_mode & 07777U;
  }
  [[nodiscard]] static std::string text(const std::string& path) {
    return std::get<std::string>(read_file(path));
  }
  std::string folder_ = testing::TempDir() + "replace_file_" + std::to_string(getpid());
  std::string path_ = folder_ + "/d.yaml";
};

TEST_F(ReplaceFile, MakesANewOneForOwnerAndGroup) {
  const auto before = umask(0022);
  EXPECT_EQ(replace_file(path_, "a: 1\n"), 0);
  umask(before);
  EXPECT_EQ(text(path_), "a: 1\n");
  EXPECT_EQ(mode(path_), 0640U);
}

TEST_F(ReplaceFile, KeepsModeOwnerAndLink) {
  std::ofstream(path_) << "old";
  ASSERT_EQ(chmod(path_.c_str(), 0604), 0);
  const auto link = folder_ + "/link.yaml";
  std::filesystem::create_symlink("d.yaml", link);
  if (geteuid() == 0) ASSERT_EQ(chown(path_.c_str(), 12, 34), 0);
  EXPECT_EQ(replace_file(link, "new"), 0);
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(text(path_), "new");
  EXPECT_EQ(mode(path_), 0604U);
  struct stat facts {};
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  if (geteuid() == 0) {
    EXPECT_EQ(facts.st_uid, 12U);
    EXPECT_EQ(facts.st_gid, 34U);
  }
}

TEST_F(ReplaceFile, SaysWhyNotAndLeavesTheFileAsItWas) {
  EXPECT_EQ(replace_file(folder_ + "/none/d.yaml", "x"), ENOENT);
  std::ofstream(path_) << "old";
  const std::filesystem::path folder = folder_;
  std::filesystem::create_directory(folder / "full");
  EXPECT_EQ(replace_file(folder / "full", "x"), EISDIR);
  EXPECT_EQ(text(path_), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 2) << "nothing is left behind";
}

}  // namespace
}  // namespace dupwatch::config::edit_test
