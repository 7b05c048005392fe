#!/usr/bin/env bash
# Builds sdist and, from it, the wheel into dist/. With TAG set both must be of that version, and notes.md gets what
# CHANGELOG.md says of it. Needs git's tags and the package `build`.
set -euo pipefail
rm -rf dist notes.md
python -m build --outdir dist .
if [ -n "${TAG:-}" ]; then
  version=${TAG#v}
  for file in "dist/isoflops-$version.tar.gz" "dist/isoflops-$version-py3-none-any.whl"; do
    if [ ! -f "$file" ]; then
      echo "::error title=release::the tag $TAG gave $(ls dist | tr '\n' ' ')and not $file"
      exit 1
    fi
  done
  awk -v head="## $version" '$0 == head || index($0, head " ") == 1 { on = 1; next } /^## / { on = 0 } on' CHANGELOG.md > notes.md
  if ! grep -q '[^[:space:]]' notes.md; then
    echo "::error title=release::CHANGELOG.md has no section '## $version'"
    exit 1
  fi
fi
ls -l dist
