import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const namedExportsOnly = { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' };

/** All workflows of a worker share their modules: what one wrote there, the next would read, in no order that a replay knows. */
const ofModule = ':matches(Program, Program > ExportNamedDeclaration) > VariableDeclaration';
const changeable = '/^(Map|Set|WeakMap|WeakSet|Array)$/';
const noModuleState = [
  `${ofModule}[kind!="const"]`,
  `${ofModule} > VariableDeclarator[init.type="NewExpression"][init.callee.name=${changeable}]:not([id.typeAnnotation])`,
  `${ofModule} > VariableDeclarator:matches([init.elements.length=0], [init.properties.length=0]):not([id.typeAnnotation])`,
  `${ofModule} > VariableDeclarator[id.typeAnnotation.typeAnnotation.typeName.name=${changeable}]`,
  `${ofModule} > VariableDeclarator[id.typeAnnotation.typeAnnotation.type="TSArrayType"]`,
  'PropertyDefinition[static=true][readonly!=true]',
].map((selector) => ({ selector, message: 'No state in modules that workflows share: constants only, of read-only types.' }));

export default tseslint.config(
  { ignores: ['dist/', 'dist.next/', 'node_modules/', 'coverage/', '.tenure/', '**/*.cjs', '**/*.mjs'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidOperator: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      'no-restricted-syntax': ['error', namedExportsOnly],
      'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
      'no-restricted-properties': ['error', { object: 'AbortSignal', property: 'any', message: 'Node.js 20 forgets a timeout inside it: endingWith.' }],
    },
  },
  {
    files: ['src/workflows/**/*.ts', 'src/domain/**/*.ts'],
    ignores: ['src/workflows/bundle.ts'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ regex: '^node:', message: 'Workflow code is deterministic: no Node built-ins.' }] }],
      'no-restricted-globals': ['error', 'process', 'Buffer', 'fetch'],
    },
  },
  {
    files: ['src/workflows/**/*.ts', 'src/domain/**/*.ts', 'src/contracts/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', namedExportsOnly, ...noModuleState] },
  },
  { files: ['src/local/**/*.ts', 'src/cli/**/*.ts', 'bench/**/*.ts', 'campaign/**/*.ts', 'src/workflows/bundle.ts'], rules: { 'no-console': 'off' } },
  { files: ['test/**/*.ts', 'bench/**/*.ts'], rules: { 'max-lines-per-function': 'off' } },
  { files: ['test/support/global-*.ts'], rules: { 'no-restricted-syntax': 'off' } },
);
