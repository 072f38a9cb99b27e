import { styleText } from 'node:util';

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
export type Paint = (style: Style, text: string) => string;

/** Colours for a stream that a person looks at. @see https://no-color.org */
export function painter(wanted: boolean, stream: NodeJS.WriteStream): Paint {
  const isPlain = !wanted || !stream.isTTY || (process.env['NO_COLOR'] ?? '') !== '' || process.env['TERM'] === 'dumb';
  // It would ask standard output, whatever the stream.
  return (style, text) => (isPlain ? text : styleText(style, text, { validateStream: false }));
}
