import { useEffect, useState } from 'react';

/**
 * Keeps what is typed into a form until it is sent, so that it survives a reload. It stays in this tab, because it may
 * be sensitive.
 */
export function useDraft<Value>(name: string, initial: Value): [Value, (value: Value) => void, () => void] {
  const key = `tasker.draft.${name}`;
  const [value, setValue] = useState(() => kept<Value>(key) ?? initial);
  const [touched, setTouched] = useState(false);
  useEffect(() => {
    if (touched) sessionStorage.setItem(key, JSON.stringify(value));
  }, [key, value, touched]);
  return [
    value,
    (next) => {
      setTouched(true);
      setValue(next);
    },
    () => {
      setTouched(false);
      sessionStorage.removeItem(key);
    },
  ];
}

function kept<Value>(key: string): Value | undefined {
  try {
    return (JSON.parse(sessionStorage.getItem(key) ?? 'null') as Value) ?? undefined;
  } catch {
    return undefined;
  }
}
