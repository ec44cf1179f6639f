-- serves: 1
-- A part of an error, with `*` in place of numbers, ids and quoted text.
create function tasker.error_part(part text) returns text
  language sql immutable parallel safe
  return regexp_replace(regexp_replace(part, '(?:\m[[:alnum:]_]+-)*[[:alnum:]_]*[0-9][[:alnum:]_]*(?:[.:+-][[:alnum:]_]+)*|"[^"]*"|`[^`]*`|(?<![[:alnum:]])''[^'']*''|[^[:space:]<>@]+@[[:alnum:].-]+', '*', 'g'), '\*(?:[, ]+\*)+', '*', 'g');

-- The pattern of an error keeps the first status code of an HTTP response, because `HTTP 404` and `HTTP 503` have different
-- causes. The code is a number after HTTP or status, or a number from 400 on that ends a clause after a word such as
-- `answered`. It is not in quotes. The parts between the `*` of a pattern occur in the error: filters search for them.
create or replace function tasker.error_pattern(error text) returns text
  language sql immutable parallel safe
  return (
    select case when length(head) % 2 = length(replace(head, '"', '')) % 2
                then tasker.error_part(head) || right(found, 3) || tasker.error_part(substr(error, length(head) + 4))
                else tasker.error_part(error) end
      from (select found, left(error, strpos(error, found) + length(found) - 4) head
              from (select substring(error, '(?i)\m((?:(?:http(?:/[0-9.]+)?(?: status| error)?|status(?:[ _-]?code)?)(?:: | = | of |[ :=])|(?:code|returned|answered|received|got|with)(?:: | an? |[ :=])(?=[45][0-9][0-9](?:$|[,;)]|[:.](?:$|[[:space:]])| (?:after|at|by|for|from|in|on|to|when)\M)))[1-5][0-9][0-9])(?![[:alnum:]_]|[.:+-][[:alnum:]_])') found offset 0) x offset 0) y);

-- The failures that are stored now. A process of an earlier version calls the function too.
update tasker.step_search set fingerprint = hashtextextended(tasker.error_pattern(error), 0)
 where error ~ '[1-5][0-9][0-9]' and fingerprint <> hashtextextended(tasker.error_pattern(error), 0);
