import { median } from './measure';
import { figures, type Results } from './report';

/** Bars of the median p50 by number of clients, as an SVG that a README can show. */
export function toChart(results: Results): string {
  const clientCounts = [...new Set(results.samples.map(({ clients }) => clients))];
  const arms = [...new Set(results.samples.map(({ arm }) => arm))];
  const colours: Record<string, string> = { node: '#9aa5b1', bare: '#5b7db1', tenure: '#1f9d6b', langgraph: '#c77d2b' };
  const bars = clientCounts.flatMap((clients, group) => arms.map((arm, index) => ({ clients, arm, group, index, ms: median(figures(results, arm, clients, 'p50Ms')) })));
  const longestMs = Math.max(...bars.map(({ ms }) => ms));
  const rowHeight = 22;
  const groupHeight = (arms.length + 1) * rowHeight;
  const lines = bars.map(({ clients, arm, group, index, ms }) => {
    const y = 40 + group * groupHeight + index * rowHeight;
    const width = Math.max(1, (ms / longestMs) * 420);
    return [
      index === 0 ? `<text x="10" y="${y - 4}" font-weight="bold">${clients} client${clients === 1 ? '' : 's'}</text>` : '',
      `<text x="10" y="${y + 13}">${arm}</text><rect x="80" y="${y}" width="${width.toFixed(0)}" height="16" fill="${colours[arm] ?? '#888'}"/>`,
      `<text x="${(88 + width).toFixed(0)}" y="${y + 13}">${ms.toFixed(1)} ms</text>`,
    ].join('');
  });
  const height = 40 + clientCounts.length * groupHeight;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="620" height="${height}" font-family="sans-serif" font-size="12"><rect width="620" height="${height}" fill="white"/><text x="10" y="16" font-size="14">Time to answer, p50</text>${lines.join('')}</svg>\n`;
}
