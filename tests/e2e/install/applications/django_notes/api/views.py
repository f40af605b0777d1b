#!/usr/bin/env python3
"""The pages and the JSON interface of the application."""

from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from rest_framework.response import Response
from rest_framework.views import APIView

from api.models import Note


def home(request):
    """Greet any client."""
    return render(request, "page.html")


@login_required
def notes(request):
    """Show the user's notes."""
    found = Note.objects.filter(owner=request.user)
    return render(request, "page.html", {"notes": found})


class Notes(APIView):
    """The notes as JSON."""

    def get(self, request):
        """Return the user's notes."""
        found = Note.objects.filter(owner=request.user)
        return Response({"notes": [note.text for note in found]})

    def post(self, request):
        """Add a note."""
        Note.objects.create(owner=request.user, text=request.data["text"])
        return Response({}, 201)
