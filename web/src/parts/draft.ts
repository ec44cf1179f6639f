import { useState } from 'react';

/**
 * Keeps what is typed into a form until it is sent, also when the page is reloaded. `key` names the form, with the id of
 * what it is about. Each tab of the browser has its own drafts.
 */
export function useDraft<Value>(key: string, initial: Value): [Value, (value: Value) => void, () => void] {
  const name = `tasker.draft.${key}`;
  const [draft, setDraft] = useState(() => ({ name, value: stored(name, initial) }));
  // The form is about something else now.
  const value = draft.name === name ? draft.value : stored(name, initial);
  const keep = (next: Value) => {
    sessionStorage.setItem(name, JSON.stringify(next));
    setDraft({ name, value: next });
  };
  const clear = () => {
    sessionStorage.removeItem(name);
    setDraft({ name, value: initial });
  };
  return [value, keep, clear];
}

function stored<Value>(name: string, initial: Value): Value {
  try {
    const text = sessionStorage.getItem(name);
    return text === null ? initial : (JSON.parse(text) as Value);
  } catch {
    return initial;
  }
}
