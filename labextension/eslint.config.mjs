import js from '@eslint/js';
import tseslint from 'typescript-eslint';

// Only the inspector, the plugin list and the MIME renderer know JupyterLab; all else also runs in VS Code, Colab and Voilà.
const KNOWS_JUPYTERLAB = ['src/inspector/**', 'src/index.ts', 'src/renderer*', 'src/renderer/**'];

const jupyterlab = {
  group: ['@jupyterlab/*', '@lumino/*'],
  message: 'Only src/inspector, src/index.ts and src/renderer* may import JupyterLab: views, widgets, client and protocol run elsewhere too.'
};

/** The floors of the front end: protocol < client < views < {widgets, inspector, renderer} < index. */
const above = (...rooms) => ({
  regex: `^\\.\\.?/(?:.*/)?(?:${rooms.join('|')})(?:/|\\.|$)`,
  message: 'A room imports its own floor or lower: protocol < client < views < widgets, inspector, renderer < index.'
});

const room = (files, patterns) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns }] }
});

export default tseslint.config(
  { ignores: ['lib/', 'node_modules/', 'coverage/'] },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [js.configs.recommended, ...tseslint.configs.strict],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      'no-console': ['error', { allow: ['warn', 'error'] }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }]
    }
  },
  {
    files: ['src/**'],
    ignores: KNOWS_JUPYTERLAB,
    rules: { 'no-restricted-imports': ['error', { patterns: [jupyterlab] }] }
  },
  room(['src/protocol/**'], [jupyterlab, above('client', 'views', 'widgets', 'inspector', 'renderer', 'index')]),
  room(['src/client/**'], [jupyterlab, above('views', 'widgets', 'inspector', 'renderer')]),
  room(['src/views/**'], [jupyterlab, above('widgets', 'inspector', 'renderer')]),
  room(['src/widgets/**'], [jupyterlab, above('inspector', 'renderer')]),
  {
    files: ['tests/**'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' }
  },
  {
    files: ['**/*.mjs'],
    extends: [js.configs.recommended],
    languageOptions: { globals: { console: 'readonly', process: 'readonly', URL: 'readonly' } }
  }
);
