import type { z } from 'zod';

type Issue = z.core.$ZodIssue;
type Words = Pick<Issue, 'path' | 'message'>;

/**
 * What is wrong with a value that fits none of several schemas, by those that it comes nearest to: "Invalid input" alone helps nobody.
 * An issue of another kind, and one that has words of its own, is as it was.
 */
export function spelledOut(issue: Issue): readonly Words[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0 || issue.message !== 'Invalid input') return [issue];
  const fewest = Math.min(...issue.errors.map(({ length }) => length));
  const [first, ...others] = issue.errors.filter(({ length }) => length === fewest).map((issues) => issues.flatMap(spelledOut));
  if (first !== undefined && others.length === 0) return first.map(({ path, message }) => ({ path: [...issue.path, ...path], message }));
  const alternatives = [first ?? [], ...others].map((words) => words.map(inOneLine).join('; '));
  return [{ path: issue.path, message: [...new Set(alternatives)].join(', or: ') }];
}

const inOneLine = ({ path, message }: Words): string => (path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`);
