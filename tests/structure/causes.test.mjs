// What to do about an error follows from its cause, and never from a text: a reason, a SQLSTATE spelt out somewhere, or
// the server's words, which it may translate.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../..', import.meta.url).pathname;
const sources = execFileSync('git', ['ls-files', 'daemon'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => /\.[ch]pp$/.test(file));

/** Lines of `text` that decide on a text of an error; `classifies`: where SQLSTATE and words become a cause. */
function decisionsOnText(text, classifies) {
  const literal = String.raw`(?:==|!=)\s*"|\.(?:starts_with|ends_with|find|rfind|contains|compare)\(\s*"`;
  const yoda = String.raw`"\s*(?:==|!=)\s*[\w.>()*-]*(?:\.|->)`;
  const members = classifies ? 'reason|remedy' : 'reason|remedy|sqlstate|message';
  const wrong = [new RegExp(String.raw`(?:\.|->)(?:${members})\s*(?:${literal})`), new RegExp(String.raw`${yoda}(?:${members})\b`), /to_string\([^()]*(?:\([^()]*\))*[^()]*cause\)\s*(?:==|!=)/];
  // A state on its own would be compared somewhere out of sight.
  if (!classifies) wrong.push(/(?:==|!=)\s*"(?=[A-Z]*[0-9])[0-9A-Z]{5}"/);
  return text.split('\n').filter((line) => !/^\s*\/\//.test(line) && wrong.some((pattern) => pattern.test(line)));
}

test('nothing is decided on a text of an error', () => {
  const found = sources.flatMap((file) => decisionsOnText(readFileSync(root + file, 'utf8'), /^daemon\/postgres\/error(_table)?\.cpp$/.test(file)).map((line) => `${file}: ${line.trim()}`));
  assert.deepEqual(found, []);
});

test('the pattern knows such a decision when it sees one', () => {
  for (const line of [
    'if (error.reason == "interrupted") return;',
    'if (error->sqlstate != "23505") return;',
    'if ("57P01" == error.sqlstate) return;',
    'return error.sqlstate.starts_with("40");',
    'return error.message.find("recovery") != std::string::npos;',
    'if (to_string(error->cause) == kInterrupted) return;',
    'if (to_string(read(error).cause) != "fuse") return;',
    'return state == "42501";',
  ]) {
    assert.equal(decisionsOnText(line, false).length, 1, line);
  }
  for (const line of ['if (error.cause == Cause::kTimeout) return;', '{"reason", std::string(to_string(error.cause))},', '// error.reason == "interrupted"', 'if (error.sqlstate.empty()) return;']) {
    assert.equal(decisionsOnText(line, false).length, 0, line);
  }
});
