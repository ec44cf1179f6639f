import { useState } from 'react';

const SHOWN_MS = 1_200;

/** Returns whether a string was just copied, and a function that copies it. Without https, browsers do not allow it. */
export function useCopy(text: string): { copied: boolean; copy(): void } {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(text).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), SHOWN_MS);
    });
  };
  return { copied, copy };
}
