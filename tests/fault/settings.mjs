// Hostile values of a server's settings, out of the server's own list (pg_settings), so that nobody had to think of them.
import assert from 'node:assert/strict';

// Left out, each with why.
const LEFT_OUT = {
  // They end a session before it can say anything, whoever it belongs to.
  client_connection_check_interval: true,
};

// Texts have no range. Names that exist nowhere, forms that change what is printed, and what runs before anything else.
const TEXTS = {
  search_path: ['nowhere', '"$user", pg_temp'], DateStyle: ['German, DMY', 'SQL, MDY', 'Postgres, YMD'], TimeZone: ['Asia/Kolkata', 'America/St_Johns'],
  lc_messages: ['C'], lc_numeric: ['C'], lc_monetary: ['C'], lc_time: ['C'], default_table_access_method: ['heap'],
  temp_tablespaces: ['pg_default'], default_text_search_config: ['simple'], application_name: ["it's \\ \" mine", 'other'], client_encoding: ['LATIN1', 'EUC_JP', 'SQL_ASCII'],
  role: ['stranger'], default_tablespace: ['pg_default'],
};

/** Extremes of a setting that can be given to a role or a database: [name, value], as `sql` lists them. */
export async function hostileSettings(sql) {
  const rows = await sql(`SELECT name, vartype, setting, boot_val, min_val, max_val, enumvals, unit FROM pg_settings
    WHERE context IN ('user', 'superuser') AND name !~ '^(transaction_|seed$|session_authorization|is_superuser)' ORDER BY name`);
  const list = [];
  for (const { name, vartype, setting, min_val: min, max_val: max, enumvals } of rows) {
    if (LEFT_OUT[name]) continue;
    const values = {
      bool: () => [setting === 'on' ? 'off' : 'on'],
      enum: () => enumvals.filter((value) => value !== setting),
      integer: () => [min, max, ...(Number(min) < 1 && Number(max) > 1 ? ['1'] : [])],
      real: () => [min, max],
      string: () => TEXTS[name] ?? [],
    }[vartype]();
    for (const value of values) if (value !== setting) list.push([name, value]);
  }
  list.push(['role', TEXTS.role[0]]); // It is in no list.
  return list;
}

const literal = (text) => `'${text.replaceAll("'", "''")}'`;
const lists = new Set(['search_path', 'DateStyle', 'temp_tablespaces']);
const settingName = (name) => name.split('.').map((part) => `"${part}"`).join('.');
/** A list is given as it is; anything else as one text. */
export const assignment = ([name, value]) => `${settingName(name)} = ${lists.has(name) ? value : literal(value)}`;

const onDatabase = (sql) => ({
  set: async (each) => { await pin(sql, each); await sql(`ALTER DATABASE app SET ${assignment(each)}`); },
  reset: ([name]) => sql(`ALTER DATABASE app RESET ${settingName(name)}`),
});
/** The test's own sessions keep what they had. A value of the start that cannot be set again (lc_messages: '') needs no keeping. */
const pin = (sql, [name]) => sql(`ALTER ROLE postgres SET ${settingName(name)} FROM CURRENT`).catch((error) => assert.equal(error.code, '22023', error.message));

/** Where a setting can be given: {set(each), reset(each)}. */
export function levels(sql, role) {
  return {
    role: { set: (each) => sql(`ALTER ROLE ${role} SET ${assignment(each)}`), reset: ([name]) => sql(`ALTER ROLE ${role} RESET ${settingName(name)}`) },
    'role in the database': {
      set: (each) => sql(`ALTER ROLE ${role} IN DATABASE app SET ${assignment(each)}`),
      reset: ([name]) => sql(`ALTER ROLE ${role} IN DATABASE app RESET ${settingName(name)}`),
    },
    database: onDatabase(sql),
    cluster: {
      set: async (each) => { await pin(sql, each); await sql(`ALTER SYSTEM SET ${assignment(each)}`); await sql('SELECT pg_reload_conf()'); },
      reset: async ([name]) => { await sql(`ALTER SYSTEM RESET ${settingName(name)}`); await sql('SELECT pg_reload_conf()'); },
    },
  };
}
