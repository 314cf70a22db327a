#include "daemon/postgres/dsn_form.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <variant>

#include "daemon/postgres/dsn.hpp"

namespace dupwatch::postgres::dsn_form_test {
namespace {

TEST(DsnForm, WhatLibpqReadsAsItIsMeantIsNoMistake) {
  for (const std::string dsn : {
           "",
           "postgresql://",
           "postgres://dupwatch@db/app",
           "postgresql://dupwatch:p%40ss%2Fw%3Ard%25@db:5432/app?sslmode=require",
           "postgresql://u:raw:colon#and;others@h1:5432,h2,[::1]:5433/app?target_session_attrs=primary",
           "postgresql://u@%2Fvar%2Frun%2Fpostgresql:5432/app",
           "postgresql:///app?host=/tmp&user=u%40x",
           "host=db port=5432,5433 dbname=app user=u password='two words' options='-c a=b\\ c'",
           "  host = db\n  password = a\\ b\n",
           "host=db password='postgresql://x' application_name='it''s'",
           "service=live",
       }) {
    // libpq takes two quotes for an end and a beginning; the word between belongs to no keyword.
    const bool doubled = dsn.find("''s") != std::string::npos;
    EXPECT_EQ(find_dsn_mistake(dsn).has_value(), doubled) << dsn;
  }
}

TEST(DsnForm, AnOptionThatIsNotKnownIsFoundWhereverItStands) {
  const std::vector<std::string> known = {"host", "port", "dbname", "sslmode"};
  const std::vector<std::pair<std::string, std::string>> unknown = {
      {"host=h hots=x", "hots"},
      {"  hots = 'a b=c' host=h", "hots"},
      {"host='x hots=y' prot=1", "prot"},
      {"postgresql://u@h/app?sslmode=require&hots=x", "hots"},
      {"postgresql://h/app?hots=x&sslmode=require", "hots"},
      {"host=h ssl=true", "ssl"},
  };
  for (const auto& [dsn, name] : unknown) EXPECT_EQ(unknown_option(dsn, known), name) << dsn;
  for (const auto* dsn : {"", "host=h port=1", "host='hots=x'", "postgresql://u@h/app",
                          "postgresql://h?ssl=true", "postgresql://h/app?host=%2Ftmp"})
    EXPECT_FALSE(unknown_option(dsn, known)) << dsn;
}

TEST(DsnForm, WhatLibpqReadsOtherwiseIsNamed) {
  const std::vector<std::pair<std::string, std::string>> mistakes = {
      {"postgresql://u:a/b@h/app", "reserved"},
      {"postgresql://u:a@b@h/app", "reserved"},
      {"postgresql://u:a?b@h/app", "reserved"},
      {"postgresql://u:123/x@h/app", "reserved"},
      {"postgresql://u:100%x@h/app", "reserved"},
      {"postgresql://u:secret.h/app", "port"},
      {std::string{"postgresql://u:secret\0@h/app", 28}, "NUL"},
      {"postgresql://h:54x/app", "port"},
      {"postgresql://[::1/app", "port"},
      {"postgresql+psycopg2://u:p@h/app", "another kind"},
      {"jdbc:postgresql://h/app?user=u&password=p", "another kind"},
      {"'postgresql://u@h/app'", "quote"},
      {"\"host=h\"", "quote"},
      {"host=h password=two words", "without"},
      {"host=h password='open", "not closed"},
      {"host=h port=secret", "port"},
      {"dbname=postgresql://u:p@h/app", "URI as one"},
  };
  for (const auto& [dsn, words] : mistakes) {
    const auto mistake = find_dsn_mistake(dsn);
    ASSERT_TRUE(mistake) << dsn;
    EXPECT_NE(mistake->found.find(words), std::string::npos) << dsn << ": " << mistake->found;
    EXPECT_FALSE(mistake->fix.empty());
  }
}

// Whatever the password and however it is written, no piece of it is in the words of an error, nor in what is
// shown of a DSN: its host, port, database and user.
RC_GTEST_PROP(DsnForm, NoPieceOfAPasswordIsShown, ()) {
  static const std::vector<std::string> kNoise = {"@",  "/",  ":", "?", "#", "%",  "&", "=", " ",  "'",  "&x",
                                                  "\"", "\\", "[", "]", ",", "\n", "x", "7", "%4", "://"};
  const auto noise = [] {
    std::string text;
    for (const auto& piece :
         *rc::gen::resize(4, rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kNoise)))) {
      text += piece;
    }
    return text;
  };
  const auto password = "sea" + noise() + "canary" + noise() + "gull";
  const std::vector<std::string> forms = {
      "postgresql://u:" + password + "@h:5432/app",
      "postgres://u:" + password + "@h/app?sslmode=require",
      "postgresql+psycopg2://u:" + password + "@h/app",
      "\"postgresql://u:" + password + "@h/app\"",
      " postgresql://u:" + password + "@h/app",
      "postgresql://u:" + password + "h/app",
      "host=h user=u password=" + password + " dbname=app",
      "host=h user=u password='" + password + "'",
      "host=h password=" + password + " port=1 user=u",
      "dbname=postgresql://u:" + password + "@h/app",
      "postgresql://h/app?user=u&password=" + password,
      "postgresql://h/app?password=" + password + "&user=u",
  };
  const auto dsn = *rc::gen::elementOf(forms);
  // Where the @ before the host is forgotten and the password has one, the rest of it is a host to anybody.
  RC_PRE(dsn.find("@h") != std::string::npos || password.find('@') == std::string::npos);
  const auto parsed = Dsn::parse(dsn);
  std::string shown;
  if (const auto* error = std::get_if<Error>(&parsed)) {
    shown = error->message + error->remedy;
  } else {
    for (const auto* keyword : {"host", "hostaddr", "port", "dbname", "user"}) {
      shown += std::get<Dsn>(parsed).value(keyword) + '\n';
    }
  }
  for (const auto* piece : {"sea", "canary", "gull"}) {
    if (shown.find(piece) != std::string::npos) RC_FAIL(dsn + " shows " + shown);
  }
}

TEST(DsnForm, APasswordIsTakenOutOfWordsThatQuoteIt) {
  EXPECT_EQ(without_secrets("role \"hunter22\" with hunter22", {"hunter22", ""}), "role \"***\" with ***");
  EXPECT_EQ(without_secrets("a word", {"a"}), "a word") << "too short to be told from a word";
}

}  // namespace
}  // namespace dupwatch::postgres::dsn_form_test
