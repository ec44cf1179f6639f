import { useState } from 'react';

/**
 * Keeps the input of a form until it is sent, even if the page is reloaded. `key` is the name of the form, with the id
 * of its subject. Each tab of the browser has its own drafts.
 */
export function useDraft<Value>(key: string, initial: Value): [Value, (value: Value) => void, () => void] {
  const name = `tasker.draft.${key}`;
  const [draft, setDraft] = useState(() => ({ name, value: stored(name, initial) }));
  // The form is now for another object.
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
