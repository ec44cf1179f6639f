import { randomInt } from 'node:crypto';
import pico from 'picocolors';

/** Starts the color codes of this process. Random, so that no stored text can contain one. */
export const OWN_CODE = `\u001b[${Array.from({ length: 4 }, () => randomInt(1000, 10_000)).join(';')};`;

/** Matches the color codes of this process, and captures their ends. */
export const OWN_CODES = new RegExp(`${OWN_CODE.replace('[', String.raw`\[`)}(\\d+m)`, 'g');

/** Functions that color a text, by the name of the color. */
type Colors = Record<'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan', Paint>;
type Paint = (text: string) => string;

/**
 * Colors for text on a terminal, or no colors if the output does not support them. Their codes are marked as codes of
 * this process: `shownText` converts them to those of the terminal, and escapes all others.
 */
export const pc: Colors = pico.isColorSupported ? createColors() : withoutColor();

/** Returns colors for an output that supports them. */
export function createColors(): Colors {
  return {
    bold: painter(1, 22),
    dim: painter(2, 22),
    red: painter(31, 39),
    green: painter(32, 39),
    yellow: painter(33, 39),
    blue: painter(34, 39),
    magenta: painter(35, 39),
    cyan: painter(36, 39),
  };
}

function painter(begin: number, end: number): Paint {
  const [open, close] = [`${OWN_CODE}${begin}m`, `${OWN_CODE}${end}m`];
  // A color inside of another one continues the outer color where it ends.
  return (text) => `${open}${text.replaceAll(close, `${close}${open}`)}${close}`;
}

function withoutColor(): Colors {
  const same: Paint = (text) => text;
  return { bold: same, dim: same, red: same, green: same, yellow: same, blue: same, magenta: same, cyan: same };
}
