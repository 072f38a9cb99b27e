/** Who may import whom. The picture is in docs/architecture.md. */
const only = (name, from, allowed, comment) => ({
  name, severity: 'error', comment,
  from: { path: from },
  to: { path: '^src/', pathNot: [from, ...allowed] },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-undeclared-packages', severity: 'error', from: { path: '^src/' }, to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] } },
    { name: 'no-dev-packages-in-production', severity: 'error', from: { path: '^src/', pathNot: '^src/local/' }, to: { dependencyTypes: ['npm-dev'] } },
    only('contracts-stand-alone', '^src/contracts/', [], 'Contracts are what everybody shares; they know nobody.'),
    only('domain-is-pure', '^src/domain/', ['^src/contracts/'], 'Pure decisions: contracts only.'),
    { name: 'domain-has-no-packages', severity: 'error', from: { path: '^src/domain/' }, to: { dependencyTypes: ['npm', 'core'] } },
    only('ports-are-types', '^src/ports/', ['^src/contracts/'], 'A port names what is needed, in contract types.'),
    only('workflows-are-thin', '^src/workflows/', ['^src/contracts/', '^src/domain/', '^src/activities/'], 'Workflows carry out what domain decides.'),
    { name: 'workflows-import-activities-as-types', severity: 'error', from: { path: '^src/workflows/' }, to: { path: '^src/activities/', dependencyTypesNot: ['type-only'] } },
    only('activities-use-ports', '^src/activities/', ['^src/contracts/', '^src/domain/', '^src/ports/', '^src/ending\\.ts$'], 'Verbs over ports, never adapters.'),
    only('adapters-implement-ports', '^src/adapters/', ['^src/contracts/', '^src/ports/', '^src/domain/', '^src/ending\\.ts$', '^src/logging\\.ts$', '^src/workflows/(.*definitions|search-attributes)\\.ts$'], 'Adapters know the outside, not the inside.'),
    only('api-uses-ports', '^src/api/(?!main\\.ts$)', ['^src/contracts/', '^src/domain/', '^src/ports/', '^src/ending\\.ts$', '^src/workflows/definitions\\.ts$'], 'Routes see ports; only main.ts composes.'),
    { name: 'sdk-only-in-adapters', severity: 'error', comment: 'One adapter per outside service.', from: { path: '^src/', pathNot: ['^src/adapters/', '^src/local/'] }, to: { path: 'node_modules/(@aws-sdk|@aws-crypto|iovalkey)/' } },
    { name: 'local-is-development-only', severity: 'error', from: { path: '^src/', pathNot: '^src/local/' }, to: { path: '^src/local/' } },
  ],
  options: { doNotFollow: { path: 'node_modules' }, tsPreCompilationDeps: true, tsConfig: { fileName: 'tsconfig.json' }, enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'] } },
};
