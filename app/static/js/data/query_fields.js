/** What can be asked for in a list: asked of the server once for each list. */

import { get } from "../api.js";

const asked = new Map();

/** [{name, aliases, help, kind, values}] of a list; none where the server cannot say. */
export function fieldsOf(list) {
  if (!asked.has(list)) {
    const answer = get("/api/query_fields", { list }).catch(() => {
      asked.delete(list);
      return [];
    });
    asked.set(list, answer);
  }
  return asked.get(list);
}

/** The values of a field in `rows`, most frequent first: [[value, count]]. `names` are all names of the field, `columns` say which term a value is. */
export function seen(columns, rows, names) {
  const counts = new Map();
  for (const { term } of columns) {
    if (!term) continue;
    for (const row of rows) {
      const found = term(row);
      if (!found) continue;
      if (!names.includes(found.field)) break; // a column speaks of one field
      if (!found.inverted && typeof found.value !== "symbol") counts.set(found.value, (counts.get(found.value) ?? 0) + 1);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1]);
}
